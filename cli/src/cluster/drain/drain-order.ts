import { COMPONENT_LABEL, DRAIN_UNTIL_ANNOTATION, POOL_LABEL } from '@replpool/protocol';
import { type CommandFailure, wrongUse } from '../../failure.ts';
import type { SeenPod, SeenPool } from '../objects.ts';

/** The pool that an agent's pod is of. @throws CommandFailure where it is no agent's */
export function poolOf({ metadata: { name, labels } }: SeenPod): string {
  const pool = labels[POOL_LABEL];
  if (labels[COMPONENT_LABEL] === 'agent' && pool !== undefined) return pool;
  throw wrongUse(`pod ${name} is no agent of a ReplPool`, '`kubectl replpool status POOL` lists the pods of a pool');
}

/** What is to be done with a pod that shall drain; both times are RFC 3339. */
export type DrainOrder =
  | { readonly kind: 'drain'; readonly until: string; readonly instead?: string }
  | { readonly kind: 'drains already'; readonly until: string }
  | { readonly kind: 'terminates' };

/**
 * @param timeoutSeconds instead of the pool's drainSeconds; a pod that drains already gets it too
 * @param now milliseconds since the epoch
 * @throws CommandFailure where nothing would come of it
 */
export function drainOrder(pod: SeenPod, pool: SeenPool, timeoutSeconds: number | undefined, now: number): DrainOrder {
  const { annotations, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) return { kind: 'terminates' };
  if (pool.spec.paused) throw paused(pool);
  const before = annotations[DRAIN_UNTIL_ANNOTATION];
  if (before !== undefined && timeoutSeconds === undefined) return { kind: 'drains already', until: before };
  const until = new Date(now + (timeoutSeconds ?? pool.spec.update.drainSeconds) * 1000).toISOString();
  return { kind: 'drain', until, ...(before !== undefined && { instead: before }) };
}

function paused({ metadata: { name, namespace } }: SeenPool): CommandFailure {
  return wrongUse(
    `pool ${name} is paused: the operator leaves its pods alone`,
    `let it go on first: kubectl patch rp/${name} -n ${namespace} --type=merge -p '{"spec":{"paused":false}}'`,
  );
}
