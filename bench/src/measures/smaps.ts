import { readFile } from 'node:fs/promises';

/** Megabytes of the line `Pss:`, which divides a page by the processes that share it. */
export function pssOf(rollup: string): number | undefined {
  const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  return kibibytes === undefined ? undefined : (Number(kibibytes) * 1024) / 1e6;
}

/** A process's share of memory in MB; undefined where this user may not read it, or the kernel does not tell. */
export async function proportionalMegabytes(pid: number): Promise<number | undefined> {
  try {
    return pssOf(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'));
  } catch {
    return undefined;
  }
}
