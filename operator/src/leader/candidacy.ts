/** A Lease as far as an election reads it. */
export interface LeaseRecord {
  /** Empty once its holder released it. */
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
  readonly resourceVersion: string;
}

/** What a candidate saw last, and when by its own clock: the times in the Lease are by another's. */
export interface Observation {
  readonly resourceVersion: string;
  readonly at: number;
}

export type Move = 'create' | 'renew' | 'take' | 'wait';

/** The observation goes on for as long as the Lease does not change. */
export function observe(lease: LeaseRecord, last: Observation | undefined, now: number): Observation {
  return last?.resourceVersion === lease.resourceVersion ? last : { resourceVersion: lease.resourceVersion, at: now };
}

/** What the candidate may do with the Lease as it is: one of another is taken only after it stood unchanged for its whole duration. */
export function moveOf(lease: LeaseRecord | undefined, seen: Observation | undefined, me: string, now: number): Move {
  if (lease === undefined) return 'create';
  if (lease.holder === me) return 'renew';
  if (lease.holder === '') return 'take';
  return seen !== undefined && seen.at + lease.durationMs <= now ? 'take' : 'wait';
}
