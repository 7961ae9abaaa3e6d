import { type CreateParts, createPods, type Refused } from './create-pods.ts';
import { type FailureStreak, heldUntil } from './failure-streak.ts';
import { isDraining } from './observe.ts';
import type { OwnObjects } from './own-objects.ts';
import { type Plan, plan } from './plan.ts';
import type { PodObject } from './pod-object.ts';
import type { PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';
import { deletePod, drainPod, type RetireParts, tellToDrain } from './retire.ts';

export interface ActParts extends RetireParts, CreateParts {
  readonly ownObjects: OwnObjects;
}

/** A pool as one look found it. */
export interface Looked {
  readonly revision: string;
  readonly replicas: number;
  readonly objects: readonly PodObject[];
  readonly seen: readonly PodView[];
  readonly streak: FailureStreak | undefined;
}

/** What came of making pods: why the API server refuses them; `held`, where none was made for now; undefined where none is missing. */
export type Creation = Refused | 'held' | undefined;

/**
 * Makes, drains and deletes what the plan says.
 * @throws ApiError, NoAnswerError
 */
export async function act(
  parts: ActParts,
  key: string,
  pool: PoolObject,
  looked: Looked,
  signal: AbortSignal,
): Promise<Creation> {
  const { revision, replicas, objects, seen, streak } = looked;
  const { ownObjects, wallClock } = parts;
  const { maxSurge, maxUnavailable } = pool.spec.update;
  await ownObjects.ensure(key, pool, { revision, replicas }, signal);
  for (const pod of objects.filter(isDraining)) tellToDrain(parts, pod);
  const next = plan(seen, { replicas, revision, maxSurge, maxUnavailable }, wallClock());
  await retire(parts, key, pool, next, objects, signal);
  const isHeld = next.create > 0 && streak !== undefined && wallClock() < heldUntil(streak);
  const refused = isHeld ? 'held' : await createPods(parts, key, pool, { count: next.create, revision }, signal);
  await ownObjects.dropOld(key, pool, new Set([revision, ...seen.map((pod) => pod.revision)]), signal);
  return refused;
}

async function retire(
  parts: RetireParts,
  key: string,
  pool: PoolObject,
  next: Plan,
  objects: readonly PodObject[],
  signal: AbortSignal,
): Promise<void> {
  const objectOf = new Map(objects.map((pod) => [pod.metadata.uid, pod]));
  for (const { uid, phase } of next.delete) {
    const pod = objectOf.get(uid);
    if (pod) await deletePod(parts, key, pool, pod, phase, signal);
  }
  for (const { uid } of next.drain) {
    const pod = objectOf.get(uid);
    if (pod) await drainPod(parts, key, pool, pod, signal);
  }
}
