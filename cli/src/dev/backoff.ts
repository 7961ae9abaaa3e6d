const firstMs = 100;
const longestMs = 5_000;
/** Alive this long, a process counts as sound again. */
export const soundAfterMs = 10_000;

/** How long to wait before start number `failures + 1`: the first restart is quick, a crash loop slow. */
export function backoffMs(failures: number): number {
  return Math.min(firstMs * 2 ** Math.max(0, failures - 1), longestMs);
}

/** Failures in a row, after a process has lived for `livedMs`. */
export function failuresAfter(failures: number, livedMs: number): number {
  return livedMs >= soundAfterMs ? 1 : failures + 1;
}
