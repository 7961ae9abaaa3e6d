import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** controller-runtime's (pkg/internal/controller/metrics). */
const BUCKETS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5],
  ...[1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];

export type ReconcileResult = 'success' | 'error' | 'requeue' | 'requeue_after';
const RESULTS: readonly ReconcileResult[] = ['success', 'error', 'requeue', 'requeue_after'];

/** The `controller_runtime_*` metrics under controller-runtime's names, so that dashboards and alerts for operators fit. */
export class ReconcileMetrics {
  readonly #total: Counter<'controller' | 'result'>;
  readonly #errors: Counter<'controller'>;
  readonly #seconds: Histogram<'controller'>;
  readonly #active: Gauge<'controller'>;
  readonly #most: Gauge<'controller'>;

  constructor(registry: Registry) {
    const common = { labelNames: ['controller'] as const, registers: [registry] };
    this.#total = new Counter({
      ...{ name: 'controller_runtime_reconcile_total', help: 'Reconciles by their result.' },
      ...{ labelNames: ['controller', 'result'] as const, registers: [registry] },
    });
    this.#errors = new Counter({
      ...{ name: 'controller_runtime_reconcile_errors_total', help: 'Reconciles that failed.' },
      ...common,
    });
    this.#seconds = new Histogram({
      ...{ name: 'controller_runtime_reconcile_time_seconds', help: 'Time that a reconcile took.', buckets: BUCKETS },
      ...common,
    });
    this.#active = new Gauge({
      ...{ name: 'controller_runtime_active_workers', help: 'Workers that have a key in work.' },
      ...common,
    });
    this.#most = new Gauge({
      ...{ name: 'controller_runtime_max_concurrent_reconciles', help: 'Keys that can be in work at once.' },
      ...common,
    });
  }

  /** A controller begins with so many workers. Its counters are there from then on: a rate of nothing is 0, not absent. */
  begun(controller: string, workers: number): void {
    for (const result of RESULTS) this.#total.inc({ controller, result }, 0);
    this.#errors.inc({ controller }, 0);
    this.#active.set({ controller }, 0);
    this.#most.set({ controller }, workers);
  }

  /** Observes one reconcile. @returns to be called with its result */
  observe(controller: string): (result: ReconcileResult) => void {
    this.#active.inc({ controller });
    const startedAt = performance.now();
    return (result) => {
      this.#active.dec({ controller });
      this.#total.inc({ controller, result });
      if (result === 'error') this.#errors.inc({ controller });
      this.#seconds.observe({ controller }, (performance.now() - startedAt) / 1000);
    };
  }
}
