import {
  type ApiClient,
  Collection,
  isRecord,
  type KubeObject,
  resources,
  systemClock,
  WatchMetrics,
} from '@replpool/kube';
import { POOL_LABEL } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';

/** Who an agent says that it is. */
export interface PodOfPool {
  readonly pod: string;
  /** `namespace:name` */
  readonly pool: string;
}

interface Addressed extends KubeObject {
  readonly it: PodOfPool;
  readonly address: string | undefined;
}

/** Which pod has which address, by one watch of the pods of all pools. */
export class PodAddresses implements AsyncDisposable {
  readonly #byAddress = new Map<string, PodOfPool>();
  readonly #over = new AbortController();
  readonly #run: Promise<void>;

  constructor(client: ApiClient) {
    const put = ({ address, it }: Addressed): void => {
      if (address !== undefined) this.#byAddress.set(address, it);
    };
    const pods = new Collection<Addressed>({
      ...{ client, resource: resources.pods, labelSelector: POOL_LABEL, parse: toAddressed },
      handlers: {
        added: put,
        changed: (_before, now) => put(now),
        deleted: ({ address = '', it }) => {
          // It may be another pod's by now.
          if (this.#byAddress.get(address)?.pod === it.pod) this.#byAddress.delete(address);
        },
      },
      metrics: new WatchMetrics(new Registry(), systemClock),
      log: pino({ level: 'warn' }),
    });
    this.#run = pods.run(this.#over.signal);
  }

  /** Undefined before the watch told of it. */
  at(address: string): PodOfPool | undefined {
    return this.#byAddress.get(address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#run;
  }
}

function toAddressed(object: KubeObject): Addressed {
  const { name, namespace, labels } = object.metadata;
  const pool = isRecord(labels) ? String(labels[POOL_LABEL]) : '';
  const address = isRecord(object.status) ? object.status.podIP : undefined;
  return {
    ...object,
    it: { pod: name, pool: `${namespace}:${pool}` },
    address: typeof address === 'string' ? address : undefined,
  };
}
