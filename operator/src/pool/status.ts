import type { ReplPool } from '@replpool/protocol';
import { canonicalJson } from '../canonical-json.ts';
import { agentSelector } from '../specs/labels.ts';
import type { AcquiredSummary } from './acquired.ts';
import { conditionsOf, mergeConditions, type PoolFacts } from './conditions.ts';
import { isLive, type PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';

export type PoolStatus = NonNullable<ReplPool['status']>;

export interface StatusFacts extends Pick<PoolFacts, 'problems' | 'refused' | 'failing' | 'atMaximum'> {
  readonly replicas: number;
  readonly revision: string;
  readonly acquired: AcquiredSummary;
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
  const { replicas, revision, acquired, ...facts } = seen;
  const live = pods.filter(isLive);
  const ready = live.filter(({ phase }) => phase === 'ready').length;
  const updated = live.filter((pod) => pod.revision === revision && pod.phase !== 'draining').length;
  const { maxUnavailable } = pool.spec.update;
  const total = live.length;
  const said = conditionsOf({ ...facts, replicas, ready, updated, total, maxUnavailable, paused: pool.spec.paused });
  return {
    replicas: total,
    readyReplicas: ready,
    updatedReplicas: updated,
    sessions: sessionsOf(live, pool.spec.sessions.maxPerPod),
    ...acquired,
    isolation: pool.spec.isolation.level,
    selector: Object.entries(agentSelector(pool.name))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    observedGeneration: pool.generation,
    conditions: mergeConditions(before.conditions ?? [], said, pool.generation, now),
  };
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

/** Whether two differ at most in what sessions change as they come and go. */
export function isSameBesideCounters(before: PoolStatus, now: PoolStatus): boolean {
  const rest = ({ sessions: _sessions, warmHitRatio: _ratio, acquireP95Ms: _p95, ...others }: PoolStatus) => others;
  return isSameStatus(rest(before), rest(now));
}
