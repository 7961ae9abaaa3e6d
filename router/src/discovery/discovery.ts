import { type ApiClient, Collection, resources, type WatchMetrics } from '@replpool/kube';
import { type AgentEndpoint, COMPONENT_LABEL, type DiscoveryConfig, POOL_LABEL } from '@replpool/protocol';
import type { Logger } from 'pino';
import { type AgentPod, toAgentPod } from './agent-pod.ts';

/** What changes at once, such as the pods of a pool that was made, is told at once. */
const COALESCE_MS = 20;

interface DiscoveryOptions {
  readonly client: ApiClient;
  readonly config: DiscoveryConfig;
  readonly metrics: WatchMetrics;
  readonly log: Logger;
  /** All agents that there are from now on, in the order of pool and pod; first when the first list is there, then whenever they change. */
  readonly found: (agents: AgentEndpoint[]) => void;
}

/** Finds the agents' pods by a watch. While the API server is gone, those that were known stay. */
export class Discovery implements AsyncDisposable {
  readonly #found: (agents: AgentEndpoint[]) => void;
  readonly #pods: Collection<AgentPod>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #listed = false;

  constructor({ client, config: { watchNamespace }, metrics, log, found }: DiscoveryOptions) {
    this.#found = found;
    const changed = () => this.#later();
    this.#pods = new Collection<AgentPod>({
      ...{ client, metrics, log, resource: resources.pods, parse: toAgentPod },
      ...(watchNamespace !== undefined && { namespace: watchNamespace }),
      labelSelector: `${POOL_LABEL},${COMPONENT_LABEL}=agent`,
      handlers: { added: changed, changed, deleted: changed },
    });
    this.#running = this.#pods.run(this.#stop.signal);
    this.#pods.synced.then(
      () => {
        this.#listed = true;
        this.#tell();
      },
      // It was stopped before.
      () => undefined,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #later(): void {
    if (!this.#listed) return;
    this.#timer ??= setTimeout(() => this.#tell(), COALESCE_MS);
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#stop.signal.aborted) return;
    const agents = [...this.#pods.values()].flatMap(({ endpoint }) => endpoint ?? []);
    this.#found(agents.sort((a, b) => compare(a.pool, b.pool) || compare(a.pod, b.pod)));
  }
}

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
