import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '@replpool/service';
import { parseProcesses } from './cgroup-file.ts';

/** How long processes may take to end after SIGKILL; one in an uninterruptible call takes as long as that call. */
const END_MS = 10_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/** A cgroup that is gone, or goes while we look (ENODEV), is what we wanted. */
function isGone(error: unknown): boolean {
  return hasErrno(error, 'ENOENT', 'ENODEV');
}

/** A cgroup and all below it, the deepest first. */
async function descend(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isGone(error)) return [];
    throw error;
  });
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => descend(join(folder, entry.name))),
  );
  return [...below.flat(), folder];
}

/** Kills every process in a cgroup and below it once; code that runs as root may have made cgroups of its own in there. */
async function killTree(folder: string): Promise<void> {
  try {
    // At once, without a race against forks. Since Linux 5.14, and not in v1. Never created: `r+` opens what is there.
    await writeFile(join(folder, 'cgroup.kill'), '1', { flag: 'r+' });
    return;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENODEV')) throw error;
  }
  for (const each of await descend(folder)) {
    // What cannot fork cannot outrun us.
    await writeFile(join(each, 'pids.max'), '0', { flag: 'r+' }).catch(() => undefined);
    const processes = await readFile(join(each, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const pid of parseProcesses(processes)) {
      if (pid !== process.pid) signal(pid);
    }
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** Removes a cgroup with those below it. @returns whether it is gone; not while a process is in it */
export async function removeEmptyTree(folder: string): Promise<boolean> {
  for (const each of await descend(folder)) {
    try {
      await rmdir(each);
    } catch (error) {
      if (isGone(error)) continue;
      if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
      throw error;
    }
  }
  return true;
}

/**
 * Ends all that is in these cgroups and removes them. The kernel tells of the last process' end only by the cgroup being empty, so we look
 * again, at growing intervals.
 * @throws Error where something does not end
 */
export async function endTrees(folders: readonly string[]): Promise<void> {
  const began = performance.now();
  for (const folder of folders) {
    await untilEnded(folder, began, async () => {
      await killTree(folder);
      return await removeEmptyTree(folder);
    });
  }
}

/** @throws Error where they have not ended in time */
async function untilEnded(folder: string, began: number, end: () => Promise<boolean>): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; !(await end()); pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    if (performance.now() - began > END_MS) throw new Error(`processes in ${folder} do not end`);
    await sleep(pause);
  }
}

/**
 * Ends all that is in these cgroups but for some processes, which stay.
 * @throws Error where something does not end
 */
export async function endOthers(folders: readonly string[], spare: ReadonlySet<number>): Promise<void> {
  const [first] = folders;
  if (first === undefined) return;
  const limit = join(first, 'pids.max');
  const former = await readFile(limit, 'utf8').catch(() => undefined);
  // What cannot fork cannot outrun us.
  if (former !== undefined) await writeFile(limit, '0', { flag: 'r+' });
  try {
    await untilEnded(first, performance.now(), async () => {
      const others = (await processesBelow(first)).filter((pid) => !spare.has(pid));
      for (const pid of others) signal(pid);
      return others.length === 0;
    });
  } finally {
    if (former !== undefined) await writeFile(limit, former.trim(), { flag: 'r+' }).catch(() => undefined);
  }
}

async function processesBelow(folder: string): Promise<number[]> {
  const lists = (await descend(folder)).map((each) => readFile(join(each, 'cgroup.procs'), 'utf8').catch(() => ''));
  return (await Promise.all(lists)).flatMap(parseProcesses).filter((pid) => pid !== process.pid);
}
