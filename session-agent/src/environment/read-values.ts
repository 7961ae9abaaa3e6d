import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '@replpool/service';
import type { Values } from './resolve.ts';

/** The link that the kubelet turns to a new folder when an object has changed, and then removes the old one. */
const CURRENT = '..data';
const ATTEMPTS = 5;

/**
 * The values of a Secret or ConfigMap that is mounted as a folder, all of one version of it: a user's new name must not come with the old
 * password.
 * @returns none where the folder is not there
 * @throws Error for a value that no environment can hold
 */
export async function readValues(folder: string): Promise<Values> {
  let current = await currentOf(folder);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const values = await readFiles(current).catch((error: unknown) => {
      // It was turned while we read.
      if (!hasErrno(error, 'ENOENT')) throw error;
      return undefined;
    });
    const now = await currentOf(folder);
    // What is read while it is removed may be a part: only a folder that still is the current one was whole.
    if (now === current && values !== undefined) return values;
    if (now === current && current === folder) return new Map();
    current = now;
  }
  throw new Error('it changes faster than it can be read');
}

function currentOf(folder: string): Promise<string> {
  return realpath(join(folder, CURRENT)).catch(() => folder);
}

async function readFiles(folder: string): Promise<Values> {
  const entries = await readdir(folder);
  // No key begins with two dots.
  const keys = entries.filter((name) => !name.startsWith('..')).sort();
  return new Map(
    await Promise.all(keys.map(async (key) => [key, text(await readFile(join(folder, key)), key)] as const)),
  );
}

function text(value: Buffer, key: string): string {
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Said below.
  }
  throw new Error(`the value of ${key} is no text without NUL, which no variable can hold`);
}
