import { type MetricDefinition, metrics } from '@replpool/protocol';
import type { Logger } from 'pino';
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AgentDirectory } from './agent-directory.ts';
import { agentMetrics, type MetricsJson } from './agent-metrics.ts';

const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600];

const options = ({ name, help }: MetricDefinition) => ({ name, help });

/** The router's metrics. The children of each label are looked up once: this runs for every request. */
export class RouterMetrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    ...options(metrics.routerRequestsTotal),
    labelNames: ['route', 'code'],
    registers: [this.registry],
  });
  readonly #seconds = new Histogram({
    ...options(metrics.routerRequestSeconds),
    labelNames: ['route'],
    buckets: BUCKETS,
    registers: [this.registry],
  });
  readonly #counters = new Map<string, Counter.Internal>();
  readonly #timers = new Map<string, Histogram.Internal<'route'>>();

  readonly #lost = new Counter({
    ...options(metrics.sessionsLostTotal),
    labelNames: ['pool', 'reason'],
    registers: [this.registry],
  });
  readonly #directory: AgentDirectory;
  readonly #log: Logger;
  readonly #includeAgents: boolean;

  /** @param includeAgents whether `text` has the sum of what the agents count */
  constructor(directory: AgentDirectory, log: Logger, includeAgents: boolean) {
    this.#directory = directory;
    this.#log = log;
    this.#includeAgents = includeAgents;
    new Gauge({
      ...options(metrics.agentUp),
      labelNames: ['pool', 'pod'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { pool, pod, up } of directory.agents) this.set({ pool, pod }, up ? 1 : 0);
      },
    });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  async text(): Promise<string> {
    if (!this.#includeAgents) return await this.registry.metrics();
    const own = (await this.registry.getMetricsAsJSON()) as MetricsJson;
    const agents = await Promise.all(this.#directory.agents.map((agent) => agentMetrics(agent, this.#log)));
    return await AggregatorRegistry.aggregate([own, ...agents]).metrics();
  }

  /** A session went with its agent, which cannot count it any more. */
  lost(pool: string): void {
    this.#lost.inc({ pool, reason: 'node' });
  }

  observe(route: string, code: number, startedAt: number): void {
    const key = `${code} ${route}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#requests.labels(route, String(code));
      this.#counters.set(key, counter);
    }
    counter.inc();
    let timer = this.#timers.get(route);
    if (timer === undefined) {
      timer = this.#seconds.labels(route);
      this.#timers.set(route, timer);
    }
    timer.observe((performance.now() - startedAt) / 1000);
  }
}
