import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PoolPod } from './pool.ts';

const run = promisify(execFile);
const cluster = join(import.meta.dirname, '../../cluster');
const state = process.env.CLUSTER_STATE ?? '/var/lib/e2e-cluster';

/** Whether the nodes are this machine's, so that a test can do to a process what only its node could. */
export function isNodeHere({ node }: PoolPod): boolean {
  return existsSync(join(state, 'run', node, 'containerd.sock'));
}

/** Kills the agent of a pod as the kernel does where memory runs out: it has no time for anything. */
export async function killAgent({ name, node, container }: PoolPod): Promise<void> {
  const list = 'source "$0/lib.sh"; ctr_of "$1" tasks ls';
  const { stdout } = await run('bash', ['-c', list, cluster, node]);
  const [, pid] = new RegExp(`^${container?.id}\\s+(\\d+)`, 'm').exec(stdout) ?? [];
  if (pid === undefined) throw new Error(`pod ${name} has no process on ${node}`);
  // Nobody else's process is to be hit, should the number be another's by now.
  const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  if (!command.includes(name)) throw new Error(`process ${pid} is not the agent of ${name}`);
  process.kill(Number(pid), 'SIGKILL');
}
