import { byCost, isLive, type PodView } from './pod-view.ts';

export interface Wanted {
  readonly replicas: number;
  /** The hash of the template that new pods are made from. */
  readonly revision: string;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** What to do next. Nothing is done twice: each step is planned anew from what was seen after the last. */
export interface Plan {
  /** So many pods of the present revision are to be made. */
  readonly create: number;
  /** These take no new sessions from now on. */
  readonly drain: readonly PodView[];
  /** These are deleted: they failed, or serve nobody, or their drain is over. */
  readonly delete: readonly PodView[];
}

/**
 * Brings the pods of a pool nearer to what is wanted.
 *
 * A pod is only deleted where that costs nobody a session: before it served, when it is drained and empty, or when its drain has lasted as
 * long as the pool allows. Which one goes is chosen by cost, so a busy pod never goes while an idle one could.
 */
export function plan(pods: readonly PodView[], wanted: Wanted, now: number): Plan {
  const live = pods.filter(isLive);
  const draining = live.filter((pod) => pod.phase === 'draining');
  const serving = live.filter((pod) => pod.phase !== 'draining');
  const current = serving.filter((pod) => pod.revision === wanted.revision);
  const old = serving.filter((pod) => pod.revision !== wanted.revision);
  const leaving = [...retire(current, old, wanted)];
  return {
    create: toCreate(current.length, live.length, wanted),
    drain: leaving.filter((pod) => pod.phase === 'ready'),
    delete: [
      ...pods.filter((pod) => pod.phase === 'failed'),
      ...leaving.filter((pod) => pod.phase === 'pending'),
      ...draining.filter((pod) => isDrained(pod, now)),
    ],
  };
}

/** Draining pods still hold memory and count towards the surge, or an update of a busy pool would double it. */
function toCreate(current: number, live: number, { replicas, maxSurge }: Wanted): number {
  return Math.max(0, Math.min(replicas - current, replicas + maxSurge - live));
}

/** Which serving pods are to go: surplus of the present revision, and old ones as far as enough others are ready. */
function retire(current: readonly PodView[], old: readonly PodView[], wanted: Wanted): PodView[] {
  const { replicas, maxUnavailable } = wanted;
  const surplus = [...current].toSorted(byCost).slice(0, Math.max(0, current.length - replicas));
  const staying = current.filter((pod) => !surplus.includes(pod));
  const ready = [...staying, ...old].filter((pod) => pod.phase === 'ready').length;
  // An old pod that never became ready is no loss, and may be what the update is to mend.
  const neverReady = old.filter((pod) => pod.phase === 'pending');
  const spare = Math.max(0, ready - Math.max(0, replicas - maxUnavailable));
  const replaced = old
    .filter((pod) => pod.phase === 'ready')
    .toSorted(byCost)
    .slice(0, spare);
  return [...surplus, ...neverReady, ...replaced];
}

function isDrained({ load, drainsUntil }: PodView, now: number): boolean {
  return load?.sessions === 0 || (drainsUntil !== undefined && now >= drainsUntil);
}
