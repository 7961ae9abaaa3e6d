import type { Expectations } from './expectations.ts';
import { isDraining, viewOf } from './observe.ts';
import type { PodObject } from './pod-object.ts';
import type { Loads, PodView } from './pod-view.ts';

/** The pods of a pool as the store has them, corrected by what was done and it does not show yet. */
export function viewsOf(
  key: string,
  objects: readonly PodObject[],
  agents: Loads,
  expectations: Expectations,
): PodView[] {
  const seen = objects.map((pod) => ({ ...pod.metadata, draining: isDraining(pod) }));
  const { created, deleted, drained } = expectations.unseen(key, seen);
  const views = objects.map((pod): PodView => {
    const view = viewOf(pod, agents);
    if (deleted.has(view.uid)) return { ...view, phase: 'terminating' };
    const drainsUntil = drained.get(view.uid);
    const goesOn = view.phase === 'failed' || view.phase === 'terminating' || drainsUntil === undefined;
    return goesOn ? view : { ...view, phase: 'draining', drainsUntil };
  });
  const unseen = created.map(
    ({ uid, revision }): PodView => ({ name: uid, uid, revision, createdAt: 0, phase: 'pending', load: undefined }),
  );
  return [...views, ...unseen];
}
