/** What is kept of a figure's samples; all but `n` in the samples' unit. */
export interface Statistics {
  readonly n: number;
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** The smallest sample that at least this share (0 to 1) of all samples does not exceed: always one that was measured. */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('there are no samples');
  return value;
}

/** @throws Error where there is no sample, or one that is no finite number */
export function statistics(samples: readonly number[]): Statistics {
  const wrong = samples.find((sample) => !Number.isFinite(sample));
  if (wrong !== undefined) throw new Error(`${wrong} is no sample`);
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    n: sorted.length,
    min: percentile(sorted, 0),
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
  };
}
