import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { type ApiClient, isRecord, pathOf, type Resource, resources } from '@replpool/kube';
import {
  DRAIN_UNTIL_ANNOTATION,
  POOL_LABEL,
  REVISION_LABEL,
  type ReplPool,
  type ReplPoolSpecInput,
} from '@replpool/protocol';
import { apply } from './apply.ts';
import { kubectl } from './kubectl.ts';

/** How often the API server is asked; a cached connection makes that cheap. */
const LOOK_MS = 50;

/** A pod of a pool, as far as tests look at it. */
export interface PoolPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly revision: string;
  readonly ready: boolean;
  /** It takes no new sessions, on its way out. */
  readonly leaving: boolean;
  readonly container: { readonly id: string; readonly restarts: number } | undefined;
}

type Condition = NonNullable<NonNullable<ReplPool['status']>['conditions']>[number];

/** What tests of sessions need of a pool: small pods that are ready within a second or two. */
export const SMALL: ReplPoolSpecInput = {
  sessions: { maxPerPod: 4, minIdle: 1 },
  isolation: { level: 'None', cgroups: 'None' },
};

/** One ReplPool of a test. */
export class TestPool {
  readonly name: string;
  readonly #namespace: string;
  readonly #client: ApiClient;

  constructor(client: ApiClient, namespace: string, name: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.name = name;
  }

  /** Its name as sessions have it. */
  get fullName(): string {
    return `${this.#namespace}:${this.name}`;
  }

  async apply(spec: ReplPoolSpecInput): Promise<void> {
    const metadata = { name: this.name, namespace: this.#namespace };
    const kind = { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool' };
    await apply(this.#namespace, { ...kind, metadata, spec } as object);
  }

  async scale(replicas: number): Promise<void> {
    await kubectl('scale', `rp/${this.name}`, `--replicas=${replicas}`, '--namespace', this.#namespace);
  }

  async delete(): Promise<void> {
    await kubectl('delete', 'rp', this.name, '--namespace', this.#namespace, '--wait=false');
  }

  /** Deletes a pod as if it had never been, without a word to its agent. */
  async deletePodAtOnce(name: string): Promise<void> {
    await kubectl('delete', 'pod', name, '--namespace', this.#namespace, '--grace-period=0', '--force', '--wait=false');
  }

  async get(): Promise<ReplPool & { status: NonNullable<ReplPool['status']> }> {
    const path = pathOf(resources.replPools, { namespace: this.#namespace, name: this.name });
    const pool = (await this.#client.request({ path })) as ReplPool;
    return { ...pool, status: pool.status ?? {} };
  }

  async condition(type: Condition['type']): Promise<Condition | undefined> {
    return (await this.get()).status.conditions?.find((each) => each.type === type);
  }

  /** All that there are, those that terminate too. */
  async pods(): Promise<PoolPod[]> {
    return (await this.owned<V1Pod>(resources.pods)).map(podOf);
  }

  /** Objects of one kind that are labelled as the pool's. */
  async owned<T = Record<string, unknown>>(resource: Resource): Promise<T[]> {
    const path = pathOf(resource, { namespace: this.#namespace });
    const query = { labelSelector: `${POOL_LABEL}=${this.name}` };
    const answer = await this.#client.request({ path, query });
    return isRecord(answer) && Array.isArray(answer.items) ? (answer.items as T[]) : [];
  }

  /** Waits until something holds of the pods; the test's own time ends it where it never does. @returns the pods of then */
  async podsUntil(holds: (pods: PoolPod[]) => boolean): Promise<PoolPod[]> {
    for (;;) {
      const pods = await this.pods();
      if (holds(pods)) return pods;
      await sleep(LOOK_MS);
    }
  }

  async conditionUntil(type: Condition['type'], holds: (condition: Condition) => boolean): Promise<Condition> {
    for (;;) {
      const condition = await this.condition(type);
      if (condition && holds(condition)) return condition;
      await sleep(LOOK_MS);
    }
  }

  /** Waits until so many pods are there, all of them ready, none on its way out, and the status says that nothing is left to do. */
  async settled(replicas: number): Promise<PoolPod[]> {
    for (;;) {
      const { metadata, status } = await this.get();
      const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
      const isSeen = progressing?.observedGeneration === (metadata as { generation?: number }).generation;
      const pods = await this.pods();
      const isDone = pods.length === replicas && pods.every(({ ready, leaving }) => ready && !leaving);
      if (isSeen && isDone && progressing?.status === 'False' && status.readyReplicas === replicas) return pods;
      await sleep(LOOK_MS);
    }
  }
}

export function podOf({ metadata, spec, status }: V1Pod): PoolPod {
  const agent = status?.containerStatuses?.find(({ name }) => name === 'agent');
  return {
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    node: spec?.nodeName ?? '',
    revision: metadata?.labels?.[REVISION_LABEL] ?? '',
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    leaving: metadata?.deletionTimestamp !== undefined || metadata?.annotations?.[DRAIN_UNTIL_ANNOTATION] !== undefined,
    container: agent && { id: agent.containerID?.replace(/^\w+:\/\//, '') ?? '', restarts: agent.restartCount },
  };
}
