import type { ReplPoolSpec } from '@replpool/protocol';
import { type FailureStreak, forgottenAt, heldUntil } from './failure-streak.ts';
import type { PodView } from './pod-view.ts';

/** How often autoscaling looks at a pool in which nothing changes. */
const AUTOSCALE_MS = 15_000;
/** What was due before now is tried again no sooner. */
const SOONEST_MS = 1000;

export interface Awaited {
  readonly seen: readonly PodView[];
  readonly streak: FailureStreak | undefined;
  /** Counters that the status does not have yet are written then. */
  readonly heldMs: number | undefined;
}

/**
 * In how many milliseconds a pool is to be looked at though nothing changes: at the end of a drain, of a wait, or where autoscaling may scale
 * down. Undefined where there is nothing to wait for.
 * @param now in milliseconds since the epoch
 */
export function wakeUpMs({ autoscaling, paused }: ReplPoolSpec, awaited: Awaited, now: number): number | undefined {
  const { seen, streak, heldMs } = awaited;
  // Only what drains has an end that something is to be done at, and in a paused pool nothing is done.
  const draining = paused ? [] : seen.filter(({ phase }) => phase === 'draining');
  const moments = [
    ...draining.flatMap(({ drainsUntil }) => drainsUntil ?? []),
    ...(streak ? [heldUntil(streak), forgottenAt(streak)].filter((at) => at > now) : []),
  ];
  const waits = moments.map((at) => Math.max(SOONEST_MS, at - now));
  if (heldMs !== undefined) waits.push(heldMs);
  if (autoscaling) waits.push(Math.min(AUTOSCALE_MS, (autoscaling.scaleDownDelaySeconds + 1) * 1000));
  return waits.length === 0 ? undefined : Math.min(...waits);
}
