import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cgroup } from './cgroup.ts';

/** Every value that the kernel can hold; a probe that writes it bounds nothing. */
const PROBE_LIMITS = { memoryBytes: 2 ** 50, cores: 0.01, processes: 4096 };

/**
 * Tries a cgroup out, and removes it: rights on files do not tell whether a limit can be set and a process moved. With the mount option
 * `nsdelegate`, as systemd has it, nothing moves out of a cgroup namespace (ENOENT).
 * @throws Error with what the kernel refuses
 */
export async function probe(cgroup: Cgroup): Promise<void> {
  try {
    await cgroup.limit(PROBE_LIMITS);
    await moveChild(cgroup);
  } finally {
    await cgroup.end();
  }
}

async function moveChild(cgroup: Cgroup): Promise<void> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], { stdio: 'ignore', env: {} });
  const ended = once(child, 'exit');
  try {
    await cgroup.add(child.pid ?? 0);
  } catch (cause) {
    child.kill('SIGKILL');
    throw new Error(`a process cannot be moved into a cgroup there: ${String(cause)}`, { cause });
  }
  await cgroup.end();
  await ended;
}
