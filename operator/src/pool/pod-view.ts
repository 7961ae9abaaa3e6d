/** What the planner knows of one pod of a pool. */
export interface PodView {
  readonly name: string;
  readonly uid: string;
  /** The hash of the template that it was made from. */
  readonly revision: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /**
   * - `pending`: its agent does not run, so nobody has a session there
   * - `unready`: its agent runs and does not answer its probe: it starts, or it or its node is in trouble, and may have sessions
   * - `ready`: its agent takes sessions
   * - `draining`: its agent was told to take no more
   * - `failed`: it will never run again: evicted, its node is gone, its containers ended for good
   * - `terminating`: its deletion was accepted; on a dead node it stays so until the node is back or is removed
   */
  readonly phase: 'pending' | 'unready' | 'ready' | 'draining' | 'failed' | 'terminating';
  /** Its sessions, as its agent said last; undefined where the agent cannot be asked, which counts as busy. */
  readonly load: PodLoad | undefined;
  /** Its agent is asked what its load is, and may say so in a moment. */
  readonly isAwaited?: boolean;
  /** When its drain ends, in milliseconds since the epoch; only of a draining pod. */
  readonly drainsUntil?: number;
}

export interface PodLoad {
  readonly sessions: number;
  /** Sessions that run code now. */
  readonly busy: number;
  /** Forks that wait for a session. */
  readonly warm: number;
  /** The agent says that it admits no new session. */
  readonly draining: boolean;
}

/** What agents say of themselves, by the uids of their pods. */
export interface Loads {
  loadOf(uid: string): PodLoad | undefined;
  isAwaited(uid: string): boolean;
}

/** A pod that exists and may still serve. */
export function isLive(pod: PodView): boolean {
  return pod.phase !== 'failed' && pod.phase !== 'terminating';
}

/**
 * Orders pods by what their end would cost, the cheapest first: one that serves nobody yet, then the one with the fewest running executions,
 * then with the fewest sessions, then one that is not ready, then the youngest. One that cannot be asked is the last.
 */
export function byCost(a: PodView, b: PodView): number {
  return (
    cost(a) - cost(b) ||
    (a.load?.busy ?? 0) - (b.load?.busy ?? 0) ||
    (a.load?.sessions ?? 0) - (b.load?.sessions ?? 0) ||
    Number(a.phase === 'ready') - Number(b.phase === 'ready') ||
    b.createdAt - a.createdAt ||
    (a.name < b.name ? -1 : 1)
  );
}

function cost({ phase, load }: PodView): number {
  if (phase === 'pending') return 0;
  if (load === undefined) return 3;
  return load.busy > 0 ? 2 : 1;
}
