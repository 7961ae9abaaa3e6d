import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kubectl, kubectlWith } from '../test/support/kubectl.ts';

const run = promisify(execFile);

/** Label and taint of the nodes, which only pods of this measurement tolerate. */
export const SIMULATED = 'replpool.dev/simulated';
/** Every pod gets an address of its own at which this machine answers: all of 127.0.0.0/8 is its loopback. */
const POD_CIDR = '127.64.0.0/14';

/** Nodes and pods that exist in the API server alone: kwok says of each pod that it runs and is ready. */
export class SimulatedNodes implements AsyncDisposable {
  readonly #kwok: ChildProcess;
  readonly #names: readonly string[];

  private constructor(kwok: ChildProcess, names: readonly string[]) {
    this.#kwok = kwok;
    this.#names = names;
  }

  static async start(nodes: number, podsPerNode: number): Promise<SimulatedNodes> {
    const tool = await run(join(import.meta.dirname, '../cluster/tool'), ['kwok']);
    const stages = join(import.meta.dirname, 'stages.yaml');
    // Without a Lease that is renewed nobody takes a node for alive.
    const lease = ['--node-lease-duration-seconds', '10'];
    const manages = `--manage-nodes-with-label-selector=${SIMULATED}=true`;
    const args = [manages, `--cidr=${POD_CIDR}`, '--config', stages, ...lease];
    // What it says are collisions with the deletion of pods, after which it tries again.
    const kwok = spawn(tool.stdout.trim(), args, { stdio: 'ignore' });
    const names = Array.from({ length: nodes }, (_, index) => `simulated-${index}`);
    const room = { cpu: '1000', memory: '4Ti', pods: String(podsPerNode) };
    const items = names.map((name) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { [SIMULATED]: 'true', 'kubernetes.io/hostname': name } },
      spec: { taints: [{ key: SIMULATED, value: 'true', effect: 'NoSchedule' }] },
      status: { allocatable: room, capacity: room },
    }));
    await kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'create', '-f', '-');
    await kubectl('wait', '--for=condition=Ready', 'node', '-l', `${SIMULATED}=true`, '--timeout=120s');
    return new SimulatedNodes(kwok, names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl('delete', 'node', ...this.#names, '--ignore-not-found');
    const ended = once(this.#kwok, 'exit');
    this.#kwok.kill();
    await ended;
  }
}
