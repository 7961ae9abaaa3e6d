import { DRAIN_UNTIL_ANNOTATION, REVISION_LABEL } from '@replpool/protocol';
import { hasEnded, type PodObject } from './pod-object.ts';
import type { PodLoad, PodView } from './pod-view.ts';

/** What an agent says of itself, by the uid of its pod; undefined where it cannot be reached. */
export type LoadOf = (uid: string) => PodLoad | undefined;

/** A pod of the API server as the planner sees it. */
export function viewOf(pod: PodObject, loadOf: LoadOf): PodView {
  const { metadata } = pod;
  const { name, uid, labels, annotations, creationTimestamp } = metadata;
  const until = annotations?.[DRAIN_UNTIL_ANNOTATION];
  return {
    name,
    uid,
    revision: labels?.[REVISION_LABEL] ?? '',
    createdAt: creationTimestamp === undefined ? 0 : Date.parse(creationTimestamp),
    phase: phaseOf(pod),
    load: loadOf(uid),
    ...(until !== undefined && { drainsUntil: Date.parse(until) }),
  };
}

/** Whether the operator told its agent to take no new sessions. */
export function isDraining({ metadata }: PodObject): boolean {
  return metadata.annotations?.[DRAIN_UNTIL_ANNOTATION] !== undefined && metadata.deletionTimestamp === undefined;
}

function phaseOf(pod: PodObject): PodView['phase'] {
  const { metadata, status } = pod;
  if (metadata.deletionTimestamp !== undefined) return 'terminating';
  if (hasEnded(pod)) return 'failed';
  if (isDraining(pod)) return 'draining';
  if (isTrue(status?.conditions, 'Ready')) return 'ready';
  return status?.containerStatuses?.some(({ state }) => state?.running !== undefined) ? 'unready' : 'pending';
}

function isTrue(conditions: readonly { type: string; status: string }[] | undefined, wanted: string): boolean {
  return conditions?.some(({ type, status }) => type === wanted && status === 'True') ?? false;
}
