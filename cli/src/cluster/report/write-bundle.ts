import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { packTar } from 'modern-tar';
import { serviceFailed, wrongUse } from '../../failure.ts';
import type { FoundText } from './findings.ts';

const archive = /\.(tar\.gz|tgz)$/;

/** Nothing is written over. @throws CommandFailure */
export function demandNew(path: string): void {
  if (existsSync(path)) throw wrongUse(`${path} is there already`, 'name another file or folder with -o');
}

/** Writes the files to a folder, or into an archive where the name is one's; only the caller may read them. It is there whole or not at all. */
export async function writeBundle(path: string, files: readonly FoundText[]): Promise<void> {
  const unfinished = `${path}.unfinished-${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    if (archive.test(path))
      await writeFile(unfinished, await packed(basename(path).replace(archive, ''), files), { mode: 0o600 });
    else await writeFolder(unfinished, files);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw serviceFailed(`cannot write ${path}: ${error instanceof Error ? error.message : error}`, undefined, error);
  }
}

async function writeFolder(folder: string, files: readonly FoundText[]): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  for (const { path, text } of files) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  }
}

/** All in one folder: whoever unpacks it finds one thing more, not twenty. */
async function packed(folder: string, files: readonly FoundText[]): Promise<Buffer> {
  const entries = files.map(({ path, text }) => {
    const body = Buffer.from(text);
    return { header: { name: `${folder}/${path}`, size: body.length, mode: 0o600 }, body };
  });
  return await promisify(gzip)(await packTar(entries));
}
