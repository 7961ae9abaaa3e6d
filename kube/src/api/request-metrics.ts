import { Counter, Histogram, type Registry } from 'prom-client';

/** What was asked of the API server, under the names that client-go gave it and dashboards know. */
export class RequestMetrics {
  readonly #total: Counter<'code' | 'method'>;
  readonly #seconds: Histogram<'verb'>;

  constructor(registry: Registry) {
    this.#total = new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the API server, by status (`<error>`: there was no answer) and method.',
      labelNames: ['code', 'method'],
      registers: [registry],
    });
    this.#seconds = new Histogram({
      name: 'rest_client_request_duration_seconds',
      help: "Time until an answer's headers came, by method.",
      labelNames: ['verb'],
      buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
      registers: [registry],
    });
  }

  /** @param startedAt on the clock of `performance.now()` */
  answered(method: string, code: number | undefined, startedAt: number): void {
    this.#total.inc({ method, code: code === undefined ? '<error>' : String(code) });
    this.#seconds.observe({ verb: method }, (performance.now() - startedAt) / 1000);
  }
}
