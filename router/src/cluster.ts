import { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, RequestMetrics, systemClock, WatchMetrics } from '@replpool/kube';
import type { Registry } from 'prom-client';

/** A router that starts has all its callers' questions at once. */
export const MAX_SOCKETS = 32;

/** The API server, for the modes that need it. */
export class Cluster implements Disposable {
  readonly #config: KubeConfig | undefined;
  readonly #registry: Registry;
  #opened: { readonly client: ApiClient; readonly watchMetrics: WatchMetrics } | undefined;

  /** @param config by default as in a pod, or as $KUBECONFIG says */
  constructor(config: KubeConfig | undefined, registry: Registry) {
    this.#config = config;
    this.#registry = registry;
  }

  get client(): ApiClient {
    return this.#open().client;
  }

  get watchMetrics(): WatchMetrics {
    return this.#open().watchMetrics;
  }

  [Symbol.dispose](): void {
    this.#opened?.client[Symbol.dispose]();
  }

  #open() {
    this.#opened ??= {
      client: new ApiClient(this.#config ?? fromEnvironment(), {
        userAgent: 'replpool-router',
        metrics: new RequestMetrics(this.#registry),
        maxSockets: MAX_SOCKETS,
      }),
      watchMetrics: new WatchMetrics(this.#registry, systemClock),
    };
    return this.#opened;
  }
}

function fromEnvironment(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}
