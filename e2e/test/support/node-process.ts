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
function isNodeHere({ node }: PoolPod): boolean {
  return existsSync(join(state, 'run', node, 'containerd.sock'));
}

/** Skips a test, with the reason, where the nodes are elsewhere. */
export function needsNodesHere(test: Mocha.Context, pod: PoolPod): void {
  if (isNodeHere(pod)) return;
  console.log(`      skipped: it kills processes of node ${pod.node}, which is not this machine's`);
  test.skip();
}

/**
 * Takes a node away: its kubelet and its container runtime are killed, and the agents of these pods there, as all would be without power.
 * @returns what brings it back
 */
export async function killNode(node: string, pods: readonly PoolPod[]): Promise<AsyncDisposable> {
  // In this order: a kubelet would start the agents again, and without containerd they are not found.
  await killPart(node, 'kubelet');
  for (const pod of pods.filter((each) => each.node === node)) await killAgent(pod);
  await killPart(node, 'containerd');
  return {
    [Symbol.asyncDispose]: async () => {
      await run(join(cluster, 'up'), [], { maxBuffer: 64 * 1024 * 1024 });
    },
  };
}

async function killPart(node: string, part: string): Promise<void> {
  const pid = Number(await readFile(join(state, 'run', node, `${part}.pid`), 'utf8'));
  const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  if (!command.includes(part) || !command.includes(node))
    throw new Error(`process ${pid} is not the ${part} of ${node}`);
  process.kill(pid, 'SIGKILL');
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
