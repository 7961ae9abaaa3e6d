import type { ReplPool } from '@replpool/protocol';
import { canonicalJson } from '../canonical-json.ts';
import { agentSelector } from '../specs/labels.ts';
import type { AcquiredSummary } from './acquired.ts';
import { conditionsOf, mergeConditions, type PoolFacts } from './conditions.ts';
import type { Enforced } from './enforced.ts';
import { isLive, type PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';
import { withoutEffect } from './without-effect.ts';

export type PoolStatus = NonNullable<ReplPool['status']>;

export interface StatusFacts
  extends Pick<PoolFacts, 'problems' | 'refused' | 'unreconciled' | 'failing' | 'atMaximum'> {
  readonly replicas: number;
  readonly revision: string;
  readonly acquired: AcquiredSummary;
  /** Undefined where no agent has said what it enforces: what was known before stands then. */
  readonly enforced: Enforced | undefined;
}

/**
 * The status of a pool, from what was seen of its pods.
 * @param before the one that it has
 * @param now RFC 3339
 */
export function statusOf(
  pool: PoolObject,
  before: PoolStatus,
  pods: readonly PodView[],
  seen: StatusFacts,
  now: string,
): PoolStatus {
  const { replicas, revision, acquired, enforced = enforcedBefore(before), ...facts } = seen;
  const live = pods.filter(isLive);
  const ready = live.filter(({ phase }) => phase === 'ready').length;
  const updated = live.filter((pod) => pod.revision === revision && pod.phase !== 'draining').length;
  const outdated = live.filter((pod) => pod.revision !== revision).length;
  const { maxUnavailable } = pool.spec.update;
  const total = live.length;
  const { paused } = pool.spec;
  const counted = { replicas, ready, updated, outdated, total, maxUnavailable, paused };
  const said = conditionsOf({ ...facts, ...counted, withoutEffect: withoutEffect(pool.spec) });
  return {
    desiredReplicas: replicas,
    replicas: total,
    readyReplicas: ready,
    updatedReplicas: updated,
    sessions: sessionsOf(live, pool.spec.sessions.maxPerPod),
    ...acquired,
    ...enforced,
    selector: Object.entries(agentSelector(pool.name))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    observedGeneration: pool.generation,
    conditions: mergeConditions(before.conditions ?? [], said, pool.generation, now),
  };
}

function enforcedBefore({ isolation, enforcement }: PoolStatus): Enforced {
  return { ...(isolation && { isolation }), ...(enforcement && { enforcement }) };
}

function sessionsOf(live: readonly PodView[], perPod: number): NonNullable<PoolStatus['sessions']> {
  const sum = (of: (pod: PodView) => number) => live.reduce((total, pod) => total + of(pod), 0);
  return {
    active: sum(({ load }) => load?.sessions ?? 0),
    idle: sum(({ load }) => load?.warm ?? 0),
    capacity: sum(({ phase }) => (phase === 'ready' ? perPod : 0)),
  };
}

/** Whether a status says what is there already: then nothing is written, and nobody is woken. */
export function isSameStatus(before: PoolStatus, now: PoolStatus): boolean {
  return canonicalJson(before) === canonicalJson(now);
}

/** Whether two differ at most in what sessions change as they come and go, and in how a condition is worded. */
export function isSameBesideDetails(before: PoolStatus, now: PoolStatus): boolean {
  return isSameStatus(withoutDetails(before), withoutDetails(now));
}

function withoutDetails(status: PoolStatus): PoolStatus {
  const { sessions: _sessions, warmHitRatio: _ratio, acquireP95Ms: _p95, ...rest } = status;
  const conditions = rest.conditions?.map((condition) => ({ ...condition, message: '' }));
  return { ...rest, ...(conditions && { conditions }) };
}
