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
 * A pod is only deleted where that costs nobody a session: before its agent runs, when it is drained and empty, or when its drain has lasted
 * as long as the pool allows. Which one goes is chosen by cost, so a busy pod never goes while an idle one could.
 */
export function plan(pods: readonly PodView[], wanted: Wanted, now: number): Plan {
  const live = pods.filter(isLive);
  const draining = live.filter((pod) => pod.phase === 'draining');
  const replaced = draining.filter((pod) => pod.revision !== wanted.revision);
  const serving = live.filter((pod) => pod.phase !== 'draining');
  const current = serving.filter((pod) => pod.revision === wanted.revision);
  const old = serving.filter((pod) => pod.revision !== wanted.revision);
  const surplus = surplusOf(current, wanted.replicas);
  const staying = current.filter((pod) => !surplus.includes(pod));
  const chosen = [...known(surplus, current), ...known(replacedBy(staying, old, replaced.length, wanted), old)];
  return {
    create: toCreate(current.length, serving.length + replaced.length, wanted),
    drain: chosen.filter((pod) => pod.phase !== 'pending'),
    delete: [
      ...pods.filter((pod) => pod.phase === 'failed'),
      ...chosen.filter((pod) => pod.phase === 'pending'),
      ...draining.filter((pod) => isDrained(pod, now)),
    ],
  };
}

/**
 * Draining pods of old revisions still hold memory and count towards the surge, or an update of a busy pool would double it. Those of the
 * present one were surplus, or told to go by somebody: a pool that is to grow again does not wait for them.
 */
function toCreate(current: number, surging: number, { replicas, maxSurge }: Wanted): number {
  return Math.max(0, Math.min(replicas - current, replicas + maxSurge - surging));
}

/**
 * Pods of the present revision beyond what is wanted. None that is ready goes in place of one that is not and may be busy: which of the two
 * is left over shows when that one is ready again or gone.
 */
function surplusOf(current: readonly PodView[], replicas: number): PodView[] {
  let spare = Math.max(0, current.filter(isReady).length - replicas);
  return current
    .toSorted(byCost)
    .slice(0, Math.max(0, current.length - replicas))
    .filter((pod) => {
      if (!isReady(pod)) return true;
      spare -= 1;
      return spare >= 0;
    });
}

/**
 * Those whose choice no word of an agent could change. An operator that has just begun to listen knows of none whether it is busy, and would
 * take any: as long as one of the candidates may still say what its load is, only those go who serve nobody.
 */
function known(chosen: readonly PodView[], candidates: readonly PodView[]): readonly PodView[] {
  const isOpen = candidates.some(({ phase, isAwaited }) => phase !== 'pending' && isAwaited);
  return isOpen ? chosen.filter(servesNobody) : chosen;
}

function servesNobody({ phase, load, isAwaited }: PodView): boolean {
  return phase === 'pending' || (load?.sessions === 0 && !isAwaited);
}

/** Which old pods are to go: those that serve nobody at once, others as far as enough are ready without them. */
function replacedBy(
  staying: readonly PodView[],
  old: readonly PodView[],
  draining: number,
  { replicas, maxUnavailable }: Wanted,
): PodView[] {
  const ready = [...staying, ...old].filter(isReady).length;
  const spare = Math.max(0, ready - Math.max(0, replicas - maxUnavailable));
  const replaced = old.filter(isReady).toSorted(byCost).slice(0, spare);
  // One that never became ready is no loss, and may be what the update is to mend.
  const useless = old.filter((pod) => pod.phase === 'pending' || (pod.phase === 'unready' && pod.load?.sessions === 0));
  // Nodes that are not heard for a moment must not cost all of their pods their sessions, so these go one by one.
  const unsure = old.filter((pod) => pod.phase === 'unready' && pod.load?.sessions !== 0).toSorted(byCost);
  const room = Math.max(0, spare - replaced.length, maxUnavailable - draining);
  return [...useless, ...replaced, ...unsure.slice(0, room)];
}

function isReady({ phase }: PodView): boolean {
  return phase === 'ready';
}

/** Empty counts only with the agent's word that it stays so. */
function isDrained({ load, drainsUntil }: PodView, now: number): boolean {
  return (load?.draining === true && load.sessions === 0) || (drainsUntil !== undefined && now >= drainsUntil);
}
