import { hasEnded, type PodObject } from './pod-object.ts';

/** After the second failure; doubled with each further one. */
const FIRST_MS = 10_000;
const LONGEST_MS = 300_000;
/** A failure so long after the last one is the first again. */
const FORGOTTEN_MS = 600_000;

/** Pods of one revision that failed for good (evicted, refused by the kubelet, ended), one replacement after the other. */
export interface FailureStreak {
  readonly revision: string;
  readonly count: number;
  /** When the last one was seen, in milliseconds since the epoch. */
  readonly at: number;
  /** The pods that there were then: that they fail too says nothing of their replacements. */
  readonly known: ReadonlySet<string>;
  readonly last: { readonly name: string; readonly uid: string };
  /** Why the last one failed, as its status says; undefined where that says nothing. */
  readonly reason: string | undefined;
}

/**
 * The streak after one look at a pool. Only a pod that was made since the last failure goes on with it: a node that dies with fifty pods is
 * one failure, and all of them are replaced at once.
 */
export function streakAfter(
  before: FailureStreak | undefined,
  pods: readonly PodObject[],
  revision: string,
  now: number,
): FailureStreak | undefined {
  const lasts = before?.revision === revision && now - before.at < FORGOTTEN_MS;
  const streak = lasts ? before : undefined;
  const failed = pods.find((pod) => hasFailed(pod) && !streak?.known.has(pod.metadata.uid));
  if (failed === undefined) return streak;
  return {
    ...{ revision, at: now, count: (streak?.count ?? 0) + 1 },
    known: new Set(pods.map(({ metadata }) => metadata.uid)),
    last: failed.metadata,
    reason: reasonOf(failed),
  };
}

function reasonOf({ status }: PodObject): string | undefined {
  const { reason, message, conditions = [] } = status ?? {};
  const said = [reason, message].filter((word) => word !== undefined && word !== '').join(': ');
  if (said !== '') return said;
  // Who ends a pod from outside says so here too.
  const disrupted = conditions.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  return disrupted && [disrupted.reason, disrupted.message].filter((word) => word !== undefined).join(': ');
}

/** One that was deleted ended because it was told to. */
function hasFailed(pod: PodObject): boolean {
  return hasEnded(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Until when no further pod is made, in milliseconds since the epoch; the first failure costs no time. */
export function heldUntil({ count, at }: FailureStreak): number {
  return count < 2 ? at : at + Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 2));
}

/** What a condition says of it; undefined of a single failure. */
export function streakMessage(streak: FailureStreak | undefined): string | undefined {
  if (streak === undefined || streak.count < 2) return undefined;
  const { count, last, reason = 'its containers ended' } = streak;
  const next = new Date(heldUntil(streak)).toISOString();
  return `${count} pods in a row failed, the last ${last.name}: ${reason}; the next one is made not before ${next}`;
}

/** When the streak is forgotten unless it goes on, in milliseconds since the epoch. */
export function forgottenAt({ at }: FailureStreak): number {
  return at + FORGOTTEN_MS;
}
