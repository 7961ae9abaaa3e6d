import { type AgentConfig, type MetricDefinition, metrics } from '@replpool/protocol';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a warm `1+1` to the longest execution, in seconds. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600];

/** The agent's metrics, under the names of the protocol; labels are bounded, never a session's id. */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly #pool: string;
  readonly #create: Histogram;
  readonly #hits: Counter;
  readonly #misses: Counter;
  readonly #seconds: Histogram;
  readonly #executions: Counter;
  readonly #output: Counter;
  readonly #lost: Counter;
  readonly #limits: Counter;
  readonly #rollbacks: Counter;

  constructor(config: AgentConfig, states: () => Iterable<string>) {
    this.#pool = config.pool;
    const of = (definition: MetricDefinition) => ({
      name: definition.name,
      help: definition.help,
      labelNames: [...definition.labels],
      registers: [this.registry],
    });
    collectDefaultMetrics({ register: this.registry });
    this.#create = new Histogram({ ...of(metrics.sessionCreateSeconds), buckets: BUCKETS });
    this.#hits = new Counter(of(metrics.poolHitsTotal));
    this.#misses = new Counter(of(metrics.poolMissesTotal));
    this.#seconds = new Histogram({ ...of(metrics.executionSeconds), buckets: BUCKETS });
    this.#executions = new Counter(of(metrics.executionsTotal));
    this.#output = new Counter(of(metrics.outputBytesTotal));
    this.#lost = new Counter(of(metrics.sessionsLostTotal));
    this.#limits = new Counter(of(metrics.limitHitsTotal));
    this.#rollbacks = new Counter(of(metrics.rollbacksTotal));
    // There from the start: a rate of nothing is 0, not absent.
    for (const counter of [this.#hits, this.#misses]) counter.inc({ pool: this.#pool }, 0);
    const gauge: Gauge = new Gauge({
      ...of(metrics.sessions),
      collect: () => {
        gauge.reset();
        for (const state of states()) gauge.inc({ pool: this.#pool, state });
      },
    });
  }

  /** Those with names of ours, as JSON: what a process uses itself cannot be added up. */
  async own(): Promise<object[]> {
    return (await this.registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('replpool_'));
  }

  created(warm: boolean, seconds: number): void {
    this.#create.observe({ pool: this.#pool, warm: String(warm) }, seconds);
    (warm ? this.#hits : this.#misses).inc({ pool: this.#pool });
  }

  executed(status: string, seconds: number | undefined): void {
    this.#executions.inc({ pool: this.#pool, status });
    if (seconds !== undefined) this.#seconds.observe({ pool: this.#pool, status }, seconds);
  }

  output(bytes: number): void {
    this.#output.inc(bytes);
  }

  lost(reason: string): void {
    this.#lost.inc({ pool: this.#pool, reason });
  }

  rolledBack(snapshot: string): void {
    this.#rollbacks.inc({ pool: this.#pool, snapshot });
  }

  limitHit(limit: string): void {
    this.#limits.inc({ pool: this.#pool, limit });
  }
}
