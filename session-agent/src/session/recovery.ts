/** Deaths counted within this window, in milliseconds. */
const WINDOW_MS = 60_000;
/** So many deaths within the window open the circuit. */
const DEATHS_THAT_OPEN = 3;
const FIRST_BACKOFF_MS = 250;

export type Recovery = { kind: 'restart'; afterMs: number } | { kind: 'open'; forMs: number };

/**
 * When a session whose worker died may have a new one: at once after the first death, backing off after the next, and after three within
 * a minute not before the oldest of them has left the window.
 *
 * @param deaths times of the session's deaths in milliseconds, oldest first, the newest one included
 */
export function decideRecovery(deaths: readonly number[], now: number): Recovery {
  const recent = deaths.filter((time) => now - time < WINDOW_MS);
  const oldest = recent.at(-DEATHS_THAT_OPEN);
  if (oldest !== undefined) return { kind: 'open', forMs: WINDOW_MS - (now - oldest) };
  return { kind: 'restart', afterMs: recent.length < 2 ? 0 : FIRST_BACKOFF_MS * 2 ** (recent.length - 2) };
}
