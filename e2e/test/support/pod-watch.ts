import type { V1Pod } from '@kubernetes/client-node';
import { type ApiClient, Collection, type KubeObject, resources, systemClock, WatchMetrics } from '@replpool/kube';
import { POOL_LABEL } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type PoolPod, podOf } from './pool.ts';

interface Seen extends KubeObject {
  readonly pod: PoolPod;
}

/** The pods of all pools of a namespace as a watch tells of them: what is so for a moment only is seen too. */
export class PodWatch implements AsyncDisposable {
  readonly #pods: Collection<Seen>;
  readonly #left = new Set<string>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #changed: (pods: PoolPod[]) => void;

  private constructor(client: ApiClient, namespace: string, changed: (pods: PoolPod[]) => void) {
    this.#changed = changed;
    this.#pods = new Collection<Seen>({
      ...{ client, namespace, resource: resources.pods, labelSelector: POOL_LABEL },
      parse: (object) => ({ ...object, pod: podOf(object as unknown as V1Pod) }),
      handlers: {
        added: ({ pod }) => this.#see(pod),
        changed: (_before, { pod }) => this.#see(pod),
        deleted: ({ pod }) => this.#see({ ...pod, leaving: true }),
      },
      ...{ metrics: new WatchMetrics(new Registry(), systemClock), log: pino({ level: 'silent' }) },
    });
    this.#running = this.#pods.run(this.#stop.signal);
  }

  /** @param changed called after each change, with the pods of then */
  static async start(
    client: ApiClient,
    namespace: string,
    changed: (pods: PoolPod[]) => void = () => undefined,
  ): Promise<PodWatch> {
    const watch = new PodWatch(client, namespace, changed);
    await watch.#pods.synced;
    return watch;
  }

  get pods(): PoolPod[] {
    return [...this.#pods.values()].map(({ pod }) => pod);
  }

  /** Whether the pod was told to take no new sessions, or deleted. */
  hasLeft(name: string): boolean {
    return this.#left.has(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changed = () => undefined;
    this.#stop.abort();
    await this.#running;
  }

  #see(pod: PoolPod): void {
    if (pod.leaving) this.#left.add(pod.name);
    this.#changed(this.pods);
  }
}
