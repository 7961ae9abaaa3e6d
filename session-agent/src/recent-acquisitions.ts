import { ACQUIRE_BOUNDS_MS, type Acquired } from '@replpool/protocol';

/** Sessions of one generation. */
const GENERATION = 500;

/**
 * How the last sessions came to be, in two generations of which the older one is dropped when the newer one is full: what was long ago does
 * not count for ever, and where nobody asks for a session nothing changes.
 */
export class RecentAcquisitions {
  #newer = new Generation();
  #older = new Generation();

  observe(warm: boolean, seconds: number): void {
    if (this.#newer.size === GENERATION) {
      this.#older = this.#newer;
      this.#newer = new Generation();
    }
    this.#newer.observe(warm, seconds);
  }

  get summary(): Acquired {
    const [a, b] = [this.#newer, this.#older];
    return {
      hits: a.hits + b.hits,
      misses: a.misses + b.misses,
      counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)),
    };
  }
}

class Generation {
  hits = 0;
  misses = 0;
  readonly counts: number[] = Array.from({ length: ACQUIRE_BOUNDS_MS.length + 1 }, () => 0);

  get size(): number {
    return this.hits + this.misses;
  }

  observe(warm: boolean, seconds: number): void {
    if (warm) this.hits += 1;
    else this.misses += 1;
    const within = ACQUIRE_BOUNDS_MS.findIndex((bound) => seconds * 1000 <= bound);
    const index = within === -1 ? ACQUIRE_BOUNDS_MS.length : within;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}
