import type { Clock } from '@replpool/kube';
import { type Backoff, backoffMs } from '@replpool/service';
import { TokenBucket } from '../token-bucket.ts';

/** client-go's DefaultControllerRateLimiter: 5 ms doubling to 1,000 s a key, 10 a second with bursts of 100 over all. */
const PER_KEY: Backoff = { firstMs: 5, longestMs: 1_000_000, jitter: 0.2 };
const PER_SECOND = 10;
const BURST = 100;

export interface RateLimit {
  readonly perKey?: Backoff;
  readonly perSecond?: number;
  readonly burst?: number;
  readonly random?: () => number;
}

/** How long a key that failed waits: the longer of its own backoff and of the bucket for all. */
export class RateLimiter {
  readonly #failures = new Map<string, number>();
  readonly #backoff: Backoff;
  readonly #bucket: TokenBucket;
  readonly #random: () => number;

  constructor(clock: Clock, { perKey = PER_KEY, perSecond = PER_SECOND, burst = BURST, random }: RateLimit = {}) {
    this.#backoff = perKey;
    this.#bucket = new TokenBucket(clock, perSecond, burst);
    this.#random = random ?? Math.random;
  }

  delayMs(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.max(backoffMs(failures, this.#backoff, this.#random()), this.#bucket.reserve());
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
