const FIRST_MS = 50;
const LAST_MS = 1_000;

/** The pause before reconnect number `attempt` (0 is the first): doubling, with full jitter over its upper half. */
export function backoffMs(attempt: number, random = Math.random()): number {
  const ceiling = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * random;
}
