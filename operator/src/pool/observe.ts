import { drainsUntil, REVISION_LABEL } from '@replpool/protocol';
import { hasEnded, type PodObject } from './pod-object.ts';
import type { Loads, PodLoad, PodView } from './pod-view.ts';

/** What a drained agent that ended would say: that it may start again gives nobody their session back. */
const NOBODY: PodLoad = { sessions: 0, busy: 0, warm: 0, draining: true };

/** A pod of the API server as the planner sees it. */
export function viewOf(pod: PodObject, agents: Loads): PodView {
  const { metadata } = pod;
  const { name, uid, labels, annotations, creationTimestamp } = metadata;
  const until = drainsUntil(annotations);
  const phase = phaseOf(pod);
  return {
    name,
    uid,
    revision: labels?.[REVISION_LABEL] ?? '',
    createdAt: creationTimestamp === undefined ? 0 : Date.parse(creationTimestamp),
    phase,
    load: phase === 'draining' && !isRunning(pod) ? NOBODY : agents.loadOf(uid),
    isAwaited: agents.isAwaited(uid),
    ...(until !== undefined && { drainsUntil: until }),
  };
}

/** Whether the operator told its agent to take no new sessions. */
export function isDraining({ metadata }: PodObject): boolean {
  return drainsUntil(metadata.annotations) !== undefined && metadata.deletionTimestamp === undefined;
}

/** What the API server shows of it alone. */
export function phaseOf(pod: PodObject): PodView['phase'] {
  const { metadata, status } = pod;
  if (metadata.deletionTimestamp !== undefined) return 'terminating';
  if (hasEnded(pod)) return 'failed';
  if (isDraining(pod)) return 'draining';
  if (isTrue(status?.conditions, 'Ready')) return 'ready';
  return isRunning(pod) ? 'unready' : 'pending';
}

function isRunning({ status }: PodObject): boolean {
  return status?.containerStatuses?.some(({ state }) => state?.running !== undefined) ?? false;
}

function isTrue(conditions: readonly { type: string; status: string }[] | undefined, wanted: string): boolean {
  return conditions?.some(({ type, status }) => type === wanted && status === 'True') ?? false;
}
