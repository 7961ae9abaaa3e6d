import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** So many entries of a folder are looked at. */
const LOOKED_AT = 10_000;
/** So many files are named. */
const NAMED = 100;

/** The files below a folder that were written, made or renamed since a moment, as sentences; deleted ones leave no trace. */
export async function changedFiles(folder: string, since: Date): Promise<string[]> {
  const found: string[] = [];
  const todo = [''];
  let looked = 0;
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const entries = await readdir(join(folder, at), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      looked += 1;
      if (looked > LOOKED_AT || found.length >= NAMED) return [...found, 'perhaps more files of the working folder'];
      const path = join(at, entry.name);
      if (entry.isDirectory()) todo.push(path);
      const status = await stat(join(folder, path)).catch(() => undefined);
      if (status && !status.isDirectory() && status.ctime >= since) found.push(`changed file ${path}`);
    }
  }
  return found;
}
