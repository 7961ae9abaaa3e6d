/** Deaths counted within this window, in milliseconds. */
const WINDOW_MS = 60_000;
/** So many deaths within the window open the circuit. */
const DEATHS_THAT_OPEN = 3;
const FIRST_BACKOFF_MS = 250;
/** Where no worker was to be had, the next try comes after so long. */
const RETRY_MS = 1000;

export type RecoveryDecision = { kind: 'restart'; afterMs: number } | { kind: 'open'; forMs: number };

/**
 * When a session whose worker died may have a new one: at once after the first death, backing off after the next, and after three within
 * a minute not before the oldest of them has left the window.
 *
 * @param deaths times of the session's deaths in milliseconds, oldest first, the newest one included
 */
export function decideRecovery(deaths: readonly number[], now: number): RecoveryDecision {
  const recent = deaths.filter((time) => now - time < WINDOW_MS);
  const oldest = recent.at(-DEATHS_THAT_OPEN);
  if (oldest !== undefined) return { kind: 'open', forMs: WINDOW_MS - (now - oldest) };
  return { kind: 'restart', afterMs: recent.length < 2 ? 0 : FIRST_BACKOFF_MS * 2 ** (recent.length - 2) };
}

/** When one session gets its next worker: its deaths, its circuit breaker, its timer. Times are of the monotonic clock. */
export class Recovery implements Disposable {
  #deaths: number[] = [];
  #openUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  /** How long the circuit breaker stays open, in milliseconds; 0 where it is closed. */
  get circuitOpenMs(): number {
    return Math.max(0, this.#openUntil - performance.now());
  }

  /** Counts a worker that died, or that could not be opened. @returns milliseconds until the next one may be tried */
  died(): number {
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((time) => now - time < WINDOW_MS), now];
    const decision = decideRecovery(this.#deaths, now);
    if (decision.kind === 'restart') return decision.afterMs;
    this.#openUntil = now + decision.forMs;
    return decision.forMs;
  }

  /** Counts a death, and calls `attempt` when a new worker may be tried. */
  afterDeath(attempt: () => void): void {
    this.#schedule(attempt, this.died());
  }

  /** Calls `attempt` again a while after one that failed. */
  afterFailure(attempt: () => void): void {
    this.#schedule(attempt, Math.max(RETRY_MS, this.circuitOpenMs));
  }

  /** Somebody restarts the session: its earlier deaths do not count any more. */
  reset(): void {
    this[Symbol.dispose]();
    this.#deaths = [];
    this.#openUntil = 0;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #schedule(attempt: () => void, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(attempt, ms);
  }
}
