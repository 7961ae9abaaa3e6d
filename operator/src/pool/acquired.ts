import { ACQUIRE_BOUNDS_MS, type Acquired } from '@replpool/protocol';

const PERCENTILE = 0.95;

/** What the status says of how sessions came to be; nothing where there were none. */
export interface AcquiredSummary {
  readonly warmHitRatio?: string;
  readonly acquireP95Ms?: number;
}

/** Over all agents of a pool: their histograms are added up, for a mean of percentiles is none. */
export function summarizeAcquired(agents: readonly Acquired[]): AcquiredSummary {
  const sum = (of: (each: Acquired) => number) => agents.reduce((total, each) => total + of(each), 0);
  const hits = sum((each) => each.hits);
  const all = hits + sum((each) => each.misses);
  if (all === 0) return {};
  const counts = [...ACQUIRE_BOUNDS_MS, Number.POSITIVE_INFINITY].map((_, index) =>
    sum((each) => each.counts[index] ?? 0),
  );
  return { warmHitRatio: ratio(hits, all), acquireP95Ms: percentile(counts) };
}

/** Rounded down, so that "1.00" says that each of them was a hit. */
function ratio(hits: number, all: number): string {
  return (Math.floor((hits * 100) / all) / 100).toFixed(2);
}

/** The upper bound of the bucket in which it lies; of the last, which has none, its lower one. */
function percentile(counts: readonly number[]): number {
  const rank = Math.ceil(counts.reduce((total, count) => total + count, 0) * PERCENTILE);
  let seen = 0;
  const index = counts.findIndex((count) => {
    seen += count;
    return seen >= rank;
  });
  return ACQUIRE_BOUNDS_MS[index] ?? ACQUIRE_BOUNDS_MS.at(-1) ?? 0;
}
