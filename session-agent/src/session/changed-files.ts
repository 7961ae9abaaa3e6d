import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** So many entries of a folder are looked at. */
const LOOKED_AT = 10_000;
/** So many files are named. */
const NAMED = 100;
/** The clock by which the kernel stamps files stands still between two ticks. */
const TICK_MS = 10;

/** The files below a folder that were written, made or renamed since a moment, as sentences; deleted ones leave no trace. */
export async function changedFiles(folder: string, since: Date): Promise<string[]> {
  const found: string[] = [];
  const todo = [''];
  const from = since.getTime() - TICK_MS;
  let looked = 0;
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const entries = await opendir(join(folder, at)).catch(() => undefined);
    if (entries === undefined) continue;
    // Piece by piece: a folder of the user's may hold millions. What it does to the folder meanwhile is no fault of ours.
    try {
      for await (const entry of entries) {
        looked += 1;
        if (looked > LOOKED_AT || found.length >= NAMED) return [...found, 'perhaps more files of the working folder'];
        const path = join(at, entry.name);
        if (entry.isDirectory()) {
          todo.push(path);
          continue;
        }
        const status = await lstat(join(folder, path)).catch(() => undefined);
        if (status && status.ctimeMs >= from) found.push(`changed file ${path}`);
      }
    } catch {
      found.push('perhaps more files of the working folder');
    }
  }
  return found;
}
