export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
  /** Which part of each pause is left to chance (0 to 1), so that who waits for the same thing does not come all at once. */
  readonly jitter: number;
}

/** The pause before try number `attempt` (0 is the first that follows a failure): doubling up to the longest. */
export function backoffMs(attempt: number, { firstMs, longestMs, jitter }: Backoff, random = Math.random()): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 30));
  return ceiling * (1 - jitter * (1 - random));
}
