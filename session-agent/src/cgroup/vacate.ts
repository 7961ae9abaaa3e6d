import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '@replpool/service';
import { write } from './cgroup.ts';

/** Where the container's processes go that are no session's. */
export const AGENT_LEAF = 'agent';
/** `kubectl exec` may add processes while we move those that there are. */
const ATTEMPTS = 10;

/**
 * Moves every process of a cgroup of v2 into a leaf below it, for a cgroup has either processes or controllers for its children (EBUSY; "no
 * internal processes", https://docs.kernel.org/admin-guide/cgroup-v2.html). What is executed in the container later joins its first
 * process in the leaf: https://github.com/opencontainers/runc/issues/2356.
 * @param enable gives the cgroup's children their controllers
 */
export async function vacate(folder: string, enable: (folder: string) => Promise<void>): Promise<void> {
  const leaf = join(folder, AGENT_LEAF);
  await mkdir(leaf, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    await moveAll(folder, leaf);
    try {
      return await enable(folder);
    } catch (error) {
      if (!hasErrno(error, 'EBUSY') || attempt === ATTEMPTS) throw error;
    }
  }
}

async function moveAll(from: string, to: string): Promise<void> {
  const processes = await readFile(join(from, 'cgroup.procs'), 'utf8');
  for (const pid of processes.split('\n').filter((line) => line !== '')) {
    if (pid === '0') throw new Error(`${from} has a process of another pid namespace`);
    await write(join(to, 'cgroup.procs'), pid).catch((error: unknown) => {
      // It ended meanwhile.
      if (!hasErrno(error, 'ESRCH')) throw error;
    });
  }
}
