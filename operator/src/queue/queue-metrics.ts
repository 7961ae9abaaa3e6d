import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** client-go's: 10 ns to 1,000 s. */
const BUCKETS = Array.from({ length: 12 }, (_, index) => 10 ** (index - 8));

/** What the gauges read of a queue at each scrape. */
export interface QueueGauges {
  readonly depth: number;
  /** How long each of the keys in work has been so, in seconds. */
  readonly runningSeconds: readonly number[];
}

/** The `workqueue_*` metrics under client-go's names, so that its dashboards and alerts fit. */
export class QueueMetrics {
  readonly #queues = new Map<string, () => QueueGauges>();
  readonly adds: Counter<'name'>;
  readonly retries: Counter<'name'>;
  readonly waited: Histogram<'name'>;
  readonly worked: Histogram<'name'>;

  constructor(registry: Registry) {
    const common = { labelNames: ['name'] as const, registers: [registry] };
    this.adds = new Counter({ name: 'workqueue_adds_total', help: 'Keys that were queued.', ...common });
    this.retries = new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys that were queued again after a failure.',
      ...common,
    });
    this.waited = new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'Time that a key waited for a worker.',
      buckets: BUCKETS,
      ...common,
    });
    this.worked = new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'Time that a key was worked on.',
      buckets: BUCKETS,
      ...common,
    });
    const gauge = (name: string, help: string, read: (gauges: QueueGauges) => number): void => {
      const queues = this.#queues;
      new Gauge({
        name,
        help,
        ...common,
        collect() {
          for (const [queue, gauges] of queues) this.set({ name: queue }, read(gauges()));
        },
      });
    };
    gauge('workqueue_depth', 'Keys that wait for a worker.', ({ depth }) => depth);
    gauge('workqueue_unfinished_work_seconds', 'Time in work of all keys in work.', ({ runningSeconds }) =>
      runningSeconds.reduce((sum, seconds) => sum + seconds, 0),
    );
    gauge('workqueue_longest_running_processor_seconds', 'Time in work of the key longest in work.', (it) =>
      Math.max(0, ...it.runningSeconds),
    );
  }

  register(name: string, gauges: () => QueueGauges): void {
    this.#queues.set(name, gauges);
  }
}
