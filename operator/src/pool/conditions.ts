import type { ReplPool } from '@replpool/protocol';
import type { PodProblem } from './observe.ts';

export type Condition = NonNullable<NonNullable<ReplPool['status']>['conditions']>[number];
type Said = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** What was seen of a pool, as far as its conditions tell it. */
export interface PoolFacts {
  readonly replicas: number;
  /** Pods that take sessions. */
  readonly ready: number;
  /** Pods of the present revision. */
  readonly updated: number;
  /** Pods that exist. */
  readonly total: number;
  readonly maxUnavailable: number;
  readonly paused: boolean;
  readonly problems: readonly PodProblem[];
  /** Why the API server made no pod, where it did not. */
  readonly refused?: { readonly kind: 'quota' | 'forbidden' | 'other'; readonly message: string } | undefined;
  /** The isolation that the nodes lack. */
  readonly missingIsolation?: string | undefined;
  /** More would be wanted than autoscaling allows. */
  readonly atMaximum: boolean;
}

/** The six conditions of a pool. Each is always there, so that `kubectl wait` has something to wait for. */
export function conditionsOf(facts: PoolFacts): Said[] {
  return [ready(facts), progressing(facts), degraded(facts), capacity(facts), isolation(facts), forbidden(facts)];
}

/**
 * New conditions with the time of the last transition: it moves with the status alone.
 * @param now RFC 3339
 */
export function mergeConditions(
  before: readonly Condition[],
  said: readonly Said[],
  observedGeneration: number,
  now: string,
): Condition[] {
  return said.map((condition) => {
    const earlier = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = earlier?.status === condition.status ? earlier.lastTransitionTime : now;
    return { ...condition, observedGeneration, lastTransitionTime };
  });
}

const yes = (type: Said['type'], reason: string, message: string): Said => ({ type, status: 'True', reason, message });
const no = (type: Said['type'], reason: string, message: string): Said => ({ type, status: 'False', reason, message });

function ready({ replicas, ready: have, maxUnavailable }: PoolFacts): Said {
  const message = `${have} of ${replicas} pods take sessions`;
  if (replicas === 0) return no('Ready', 'ScaledToZero', 'the pool is to have no pods');
  if (have === 0) return no('Ready', 'NoPodReady', message);
  return have >= replicas - maxUnavailable
    ? yes('Ready', 'PodsReady', message)
    : no('Ready', 'TooFewPodsReady', message);
}

function progressing({ replicas, ready: have, updated, total, paused }: PoolFacts): Said {
  if (paused) return no('Progressing', 'Paused', 'the pool is paused');
  if (total > updated)
    return yes('Progressing', 'RollingUpdate', `${updated} of ${replicas} pods are of the new revision`);
  if (total !== replicas) return yes('Progressing', 'Scaling', `${total} pods, ${replicas} are wanted`);
  if (have < replicas) return yes('Progressing', 'Starting', `${replicas - have} pods are not ready yet`);
  return no('Progressing', 'Complete', 'all is as wanted');
}

function degraded({ problems }: PoolFacts): Said {
  const reasons = { image: 'ImageUnavailable', crash: 'PodsCrash', config: 'PodsNotStarted' } as const;
  for (const kind of ['image', 'config', 'crash'] as const) {
    const found = problems.filter((problem) => problem.kind === kind);
    if (found[0])
      return yes('Degraded', reasons[kind], `${found.length} pods, such as ${found[0].pod}: ${found[0].message}`);
  }
  return no('Degraded', 'NothingFails', 'no pod fails');
}

function capacity({ problems, refused, atMaximum }: PoolFacts): Said {
  const waiting = problems.filter(({ kind }) => kind === 'unschedulable');
  if (refused?.kind === 'quota') return yes('CapacityLimited', 'QuotaExceeded', refused.message);
  if (waiting[0]) {
    return yes(
      'CapacityLimited',
      'Unschedulable',
      `${waiting.length} pods, such as ${waiting[0].pod}: ${waiting[0].message}`,
    );
  }
  if (atMaximum)
    return yes('CapacityLimited', 'MaxReplicasReached', 'more sessions are wanted than maxReplicas pods have room for');
  return no('CapacityLimited', 'RoomLeft', 'nothing limits the pool');
}

function isolation({ missingIsolation }: PoolFacts): Said {
  return missingIsolation === undefined
    ? no('IsolationUnavailable', 'Available', 'what the pool asks for is enforced')
    : yes('IsolationUnavailable', 'NodesLackIt', missingIsolation);
}

function forbidden({ refused }: PoolFacts): Said {
  if (refused === undefined || refused.kind === 'quota') return no('PodsForbidden', 'Allowed', 'pods can be made');
  return yes('PodsForbidden', refused.kind === 'forbidden' ? 'AdmissionRefused' : 'CreationFails', refused.message);
}
