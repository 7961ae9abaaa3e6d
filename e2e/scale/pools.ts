import { setTimeout as sleep } from 'node:timers/promises';
import type { ReplPoolSpecInput } from '@replpool/protocol';
import { kubectl, kubectlWith } from '../test/support/kubectl.ts';
import { SIMULATED } from './simulated-nodes.ts';

const NAMESPACES = 10;

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: { readonly replicas: number };
    readonly status?: {
      readonly readyReplicas?: number;
      readonly replicas?: number;
      readonly updatedReplicas?: number;
    };
  }[];
}

/** The pools of one measurement, in some namespaces. */
export class Pools implements AsyncDisposable {
  readonly releaseNamespace: string;
  readonly #namespaces: readonly string[];
  readonly #count: number;
  readonly replicas: number;

  private constructor(prefix: string, count: number, replicas: number) {
    this.releaseNamespace = `${prefix}-release`;
    this.#namespaces = Array.from({ length: Math.min(NAMESPACES, count) }, (_, index) => `${prefix}-${index}`);
    this.#count = count;
    this.replicas = replicas;
  }

  static async create(prefix: string, count: number, replicas: number): Promise<Pools> {
    const it = new Pools(prefix, count, replicas);
    for (const namespace of [it.releaseNamespace, ...it.#namespaces]) await kubectl('create', 'namespace', namespace);
    return it;
  }

  get count(): number {
    return this.#count;
  }

  get pods(): number {
    return this.#count * this.replicas;
  }

  async apply(): Promise<void> {
    const items = Array.from({ length: this.#count }, (_, index) => this.#pool(index, this.replicas));
    await kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'create', '-f', '-');
  }

  async scale(index: number, replicas: number): Promise<void> {
    await write(this.#pool(index, replicas));
  }

  /** A new template: all pods of the pool are replaced. */
  async roll(index: number, revision: number): Promise<void> {
    await write(this.#pool(index, this.replicas, revision));
  }

  /** As crashes of nodes take pods away. */
  async deletePods(count: number): Promise<void> {
    const namespace = this.#namespaceOf(Math.floor(Math.random() * this.#count));
    const names = (await kubectl('get', 'pods', '-n', namespace, '-o', 'name')).trim().split('\n');
    const chosen = names.toSorted(() => Math.random() - 0.5).slice(0, count);
    if (chosen[0]) await kubectl('delete', '-n', namespace, '--wait=false', ...chosen);
  }

  /** Resolves once every pool says that all its pods are there, ready and of the present template. */
  async settled(): Promise<void> {
    for (;;) {
      const { items } = JSON.parse(await kubectl('get', 'replpools', '-A', '-o', 'json')) as Listed;
      const ours = items.filter(({ metadata }) => this.#namespaces.includes(metadata.namespace));
      const isSettled = ours.every(
        ({ spec: { replicas }, status }) =>
          status?.readyReplicas === replicas && status.replicas === replicas && status.updatedReplicas === replicas,
      );
      if (isSettled && ours.length === this.#count) return;
      await sleep(1_000);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl('delete', 'namespace', this.releaseNamespace, ...this.#namespaces, '--timeout=600s');
  }

  #namespaceOf(index: number): string {
    return this.#namespaces[index % this.#namespaces.length] ?? '';
  }

  #pool(index: number, replicas: number, revision = 0): object {
    const spec: ReplPoolSpecInput = {
      replicas,
      runtime: { env: [{ name: 'REVISION', value: String(revision) }] },
      update: { maxSurge: 5, maxUnavailable: 5, drainSeconds: 5 },
      podTemplate: {
        nodeSelector: { [SIMULATED]: 'true' },
        tolerations: [{ key: SIMULATED, operator: 'Exists', effect: 'NoSchedule' }],
      },
    };
    const metadata = { name: `pool-${index}`, namespace: this.#namespaceOf(index) };
    return { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool', metadata, spec };
  }
}

async function write(pool: object): Promise<void> {
  await kubectlWith(JSON.stringify(pool), 'apply', '--server-side', '--force-conflicts', '-f', '-');
}
