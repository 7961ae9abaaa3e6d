import { backoffMs } from '@replpool/service';

// Without jitter: there are a few processes, and nothing that they would all come to at once.
const backoff = { firstMs: 100, longestMs: 5_000, jitter: 0 };
/** Alive this long, a process counts as sound again. */
const soundAfterMs = 10_000;

/** How long to wait after this many failures in a row: the first restart is quick, a crash loop slow. */
export const restartDelayMs = (failures: number): number => backoffMs(Math.max(0, failures - 1), backoff);

/** Failures in a row, after a process has lived for `livedMs`. */
export function failuresAfter(failures: number, livedMs: number): number {
  return livedMs >= soundAfterMs ? 1 : failures + 1;
}
