import type { ReplPool } from '@replpool/protocol';
import { canonicalJson } from '../canonical-json.ts';
import { agentSelector } from '../specs/labels.ts';
import { conditionsOf, mergeConditions, type PoolFacts } from './conditions.ts';
import { isLive, type PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';

export type PoolStatus = NonNullable<ReplPool['status']>;
type Facts = Pick<PoolFacts, 'problems' | 'refused' | 'atMaximum' | 'missingIsolation'>;

/** The status of a pool, from what was seen of its pods. @param now RFC 3339 */
export function statusOf(
  pool: PoolObject,
  pods: readonly PodView[],
  seen: Facts & { readonly replicas: number; readonly revision: string },
  now: string,
): PoolStatus {
  const { replicas, revision, ...facts } = seen;
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
    isolation: pool.spec.isolation.level,
    selector: Object.entries(agentSelector(pool.name))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    observedGeneration: pool.generation,
    conditions: mergeConditions(pool.status.conditions ?? [], said, pool.generation, now),
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
