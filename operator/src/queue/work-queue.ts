import { type Clock, systemClock } from '@replpool/kube';
import type { QueueMetrics } from './queue-metrics.ts';
import { type RateLimit, RateLimiter } from './rate-limit.ts';

export interface WorkQueueOptions {
  /** The label `name` of its metrics. */
  readonly name: string;
  readonly metrics: QueueMetrics;
  readonly clock?: Clock;
  readonly rateLimit?: RateLimit;
}

/**
 * Keys to work on, each at most once in the queue and at most once in work, as client-go's workqueue: a key that is added while it is in
 * work is queued again when that ends.
 */
export class WorkQueue implements Disposable {
  readonly name: string;
  /** Keys to work on and since when: those in `#ready`, and those in work that were added again. */
  readonly #dirty = new Map<string, number>();
  /** Of `#dirty`, what no worker has in work, in order. */
  readonly #ready = new Set<string>();
  readonly #working = new Map<string, number>();
  readonly #delayed = new Map<string, { at: number; timer: Disposable }>();
  readonly #idle: ((key: string | undefined) => void)[] = [];
  readonly #limiter: RateLimiter;
  readonly #metrics: QueueMetrics;
  readonly #labels: { readonly name: string };
  readonly #clock: Clock;
  #closed = false;

  constructor({ name, metrics, clock = systemClock, rateLimit }: WorkQueueOptions) {
    this.name = name;
    this.#labels = { name };
    this.#metrics = metrics;
    this.#clock = clock;
    this.#limiter = new RateLimiter(clock, rateLimit);
    metrics.register(name, () => ({
      depth: this.#ready.size,
      runningSeconds: [...this.#working.values()].map((since) => (clock.now() - since) / 1000),
    }));
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#metrics.adds.inc(this.#labels);
    this.#dirty.set(key, this.#clock.now());
    if (this.#working.has(key)) return;
    this.#ready.add(key);
    this.#hand();
  }

  /**
   * Adds the key after the time; of several delays of one key the earliest counts.
   * @throws RangeError where it is no time: a timer would take it for none, and the key would come again and again
   */
  addAfter(key: string, ms: number): void {
    if (!Number.isFinite(ms)) throw new RangeError(`${key} cannot be added after ${ms} ms`);
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + ms;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined && earlier.at <= at) return;
    earlier?.timer[Symbol.dispose]();
    const timer = this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** Adds the key after its backoff, which grows with every call until `forget`. */
  addRateLimited(key: string): void {
    if (this.#closed) return;
    this.#metrics.retries.inc(this.#labels);
    this.addAfter(key, this.#limiter.delayMs(key));
  }

  /** The key did well: its next backoff is the first again. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /** The next key, from now on in work until `done`; undefined once the queue is closed. */
  next(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    const since = this.#working.get(key);
    if (since === undefined) throw new Error(`${key} is not in work`);
    this.#working.delete(key);
    this.#metrics.worked.observe(this.#labels, (this.#clock.now() - since) / 1000);
    if (this.#closed || !this.#dirty.has(key)) return;
    this.#ready.add(key);
    this.#hand();
  }

  /** Nothing is handed out any more, and no timer is left; what is in work ends with its `done`. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer[Symbol.dispose]();
    this.#delayed.clear();
    this.#ready.clear();
    this.#dirty.clear();
    for (const resolve of this.#idle.splice(0)) resolve(undefined);
  }

  #hand(): void {
    for (const key of this.#ready) {
      const worker = this.#idle.shift();
      if (worker === undefined) return;
      const now = this.#clock.now();
      this.#metrics.waited.observe(this.#labels, (now - (this.#dirty.get(key) ?? now)) / 1000);
      this.#ready.delete(key);
      this.#dirty.delete(key);
      this.#working.set(key, now);
      worker(key);
    }
  }
}
