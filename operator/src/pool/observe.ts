import { REVISION_LABEL } from '../specs/labels.ts';
import type { ContainerStatus, PodObject } from './pod-object.ts';
import type { PodLoad, PodView } from './pod-view.ts';

/** When an annotated pod's drain ends; the operator writes it when it tells the agent to drain. */
export const DRAIN_UNTIL_ANNOTATION = 'replpool.dev/drain-until';

/** What keeps a pod from serving, as far as its status tells. */
export interface PodProblem {
  readonly pod: string;
  /**
   * - `unschedulable`: no node has room, or none fits; it waits and is no failure
   * - `image`: its image cannot be had
   * - `crash`: its container ends again and again
   * - `config`: it cannot be started as it is described
   */
  readonly kind: 'unschedulable' | 'image' | 'crash' | 'config';
  readonly message: string;
}

/** What an agent says of itself, by the uid of its pod; undefined where it cannot be reached. */
export type LoadOf = (uid: string) => PodLoad | undefined;

/** A container that ended so often is taken to crash, whatever it waits for at the moment. */
const CRASHES = 3;
const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const CONFIG_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);

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

function phaseOf({ metadata, status }: PodObject): PodView['phase'] {
  if (metadata.deletionTimestamp !== undefined) return 'terminating';
  // `Succeeded` too: an agent has no end of its own.
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return 'failed';
  if (metadata.annotations?.[DRAIN_UNTIL_ANNOTATION] !== undefined) return 'draining';
  return isReady(status?.conditions) ? 'ready' : 'pending';
}

function isReady(conditions: readonly { type: string; status: string }[] | undefined): boolean {
  return conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** Why a pod does not serve; undefined where it does, or where nothing is known to be wrong. */
export function problemOf(pod: PodObject): PodProblem | undefined {
  const { name } = pod.metadata;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    return { pod: name, kind: 'unschedulable', message: scheduled.message ?? '' };
  }
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const status of statuses) {
    const problem = containerProblem(status);
    if (problem) return { pod: name, ...problem };
  }
  return undefined;
}

function containerProblem({
  state,
  lastState,
  ready,
  restartCount,
}: ContainerStatus): Omit<PodProblem, 'pod'> | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (IMAGE_REASONS.has(reason)) return { kind: 'image', message: message || reason };
  if (CONFIG_REASONS.has(reason)) return { kind: 'config', message: message || reason };
  if (ready || (reason !== 'CrashLoopBackOff' && restartCount < CRASHES)) return undefined;
  const ended = lastState?.terminated;
  const how = ended === undefined ? '' : `, the last time with ${ended.reason ?? 'status'} ${ended.exitCode}`;
  return { kind: 'crash', message: `its container ended ${restartCount} times${how}` };
}
