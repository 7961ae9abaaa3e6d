import type { ReplPool } from '@replpool/protocol';
import type { Refusal } from '../specs/refusal.ts';
import type { PodProblem } from './problems.ts';

export type Condition = NonNullable<NonNullable<ReplPool['status']>['conditions']>[number];
type Said = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** What was seen of a pool, as far as its conditions tell it. */
export interface PoolFacts {
  readonly replicas: number;
  /** Pods that take sessions. */
  readonly ready: number;
  /** Pods of the present revision. */
  readonly updated: number;
  /** Pods of other revisions, also those that drain. */
  readonly outdated: number;
  /** Pods that exist. */
  readonly total: number;
  readonly maxUnavailable: number;
  readonly paused: boolean;
  readonly problems: readonly PodProblem[];
  /** Why no pod was made, where none was: by the API server, or by what the release does not do. */
  readonly refused?: Refusal | { readonly kind: 'quota' | 'forbidden' | 'other'; readonly message: string } | undefined;
  /** Why nothing could be done for it, where that is so. */
  readonly unreconciled?: string | undefined;
  /** How pods fail one after the other, where they do. */
  readonly failing?: string | undefined;
  /** More would be wanted than autoscaling allows. */
  readonly atMaximum: boolean;
  /** Fields of the spec that ask for what this release does not do. */
  readonly withoutEffect: readonly string[];
}

/** Of a message, in characters: the API server refuses a whole status for one of more than 32,768, and each change of it is written. */
const LONGEST = 2_048;

/** The six conditions of a pool. Each is always there, so that `kubectl wait` has something to wait for. */
export function conditionsOf(facts: PoolFacts): Said[] {
  const said = [ready(facts), progressing(facts), degraded(facts), capacity(facts), isolation(facts), forbidden(facts)];
  return said.map((condition) => ({ ...condition, message: condition.message.slice(0, LONGEST).toWellFormed() }));
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

/** What has no effect is told here, for this is the condition that people look at; the pool is none the worse for it. */
function ready({ replicas, ready: have, maxUnavailable, withoutEffect }: PoolFacts): Said {
  const note = withoutEffect.length === 0 ? '' : `; without effect in this release: ${withoutEffect.join(', ')}`;
  const message = `${have} of ${replicas} pods take sessions${note}`;
  if (replicas === 0) return no('Ready', 'ScaledToZero', `the pool is to have no pods${note}`);
  if (have === 0) return no('Ready', 'NoPodReady', message);
  return have >= replicas - maxUnavailable
    ? yes('Ready', 'PodsReady', message)
    : no('Ready', 'TooFewPodsReady', message);
}

function progressing({ replicas, ready: have, updated, outdated, total, paused }: PoolFacts): Said {
  if (paused) return no('Progressing', 'Paused', 'the pool is paused');
  if (outdated > 0)
    return yes('Progressing', 'RollingUpdate', `${updated} of ${replicas} pods are of the new revision`);
  if (total !== replicas) return yes('Progressing', 'Scaling', `${total} pods, ${replicas} are wanted`);
  if (have < replicas) return yes('Progressing', 'Starting', `${replicas - have} pods are not ready yet`);
  return no('Progressing', 'Complete', 'all is as wanted');
}

function degraded({ problems, unreconciled, failing }: PoolFacts): Said {
  if (unreconciled !== undefined) return yes('Degraded', 'ReconcileFailed', unreconciled);
  const reasons = {
    image: 'ImageUnavailable',
    config: 'PodsNotStarted',
    template: 'TemplateFails',
    crash: 'PodsCrash',
  } as const;
  for (const kind of ['image', 'config', 'template', 'crash'] as const) {
    const message = told(problems, kind);
    if (message !== undefined) return yes('Degraded', reasons[kind], message);
  }
  if (failing !== undefined) return yes('Degraded', 'PodsFail', failing);
  return no('Degraded', 'NothingFails', 'no pod fails');
}

/** How many pods have this problem, and what one of them says of it. */
function told(problems: readonly PodProblem[], kind: PodProblem['kind']): string | undefined {
  const found = problems.filter((problem) => problem.kind === kind);
  // Always the same one, or the message would change with the order of the store.
  const [first] = found.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  if (first === undefined) return undefined;
  const who = found.length === 1 ? `pod ${first.pod}` : `${found.length} pods, such as ${first.pod}`;
  return `${who}: ${first.message}`;
}

function capacity({ problems, refused, atMaximum }: PoolFacts): Said {
  if (refused?.kind === 'quota') return yes('CapacityLimited', 'QuotaExceeded', refused.message);
  const unschedulable = told(problems, 'unschedulable');
  if (unschedulable !== undefined) return yes('CapacityLimited', 'Unschedulable', unschedulable);
  if (atMaximum)
    return yes('CapacityLimited', 'MaxReplicasReached', 'more sessions are wanted than maxReplicas pods have room for');
  return no('CapacityLimited', 'RoomLeft', 'nothing limits the pool');
}

function isolation({ problems, refused }: PoolFacts): Said {
  if (refused?.kind === 'isolation') return yes('IsolationUnavailable', 'NotAllowed', refused.message);
  const missing = told(problems, 'isolation');
  return missing === undefined
    ? no('IsolationUnavailable', 'Available', 'no agent refuses what the pool asks for')
    : yes('IsolationUnavailable', 'NodesLackIt', missing);
}

function forbidden({ refused }: PoolFacts): Said {
  if (refused === undefined || refused.kind === 'quota' || refused.kind === 'isolation')
    return no('PodsForbidden', 'Allowed', 'pods can be made');
  const reasons = { forbidden: 'AdmissionRefused', secret: 'SecretOfTheRelease', other: 'CreationFails' } as const;
  return yes('PodsForbidden', reasons[refused.kind], refused.message);
}
