import { REVISION_LABEL, type ReplPoolSpec } from '@replpool/protocol';
import { phaseOf } from './observe.ts';
import type { PodObject } from './pod-object.ts';

/** Whether pods are to come or go, by what they are or by how many sessions they have: what the agents of the pool say is needed then. */
export function isMoving(
  { autoscaling, replicas }: ReplPoolSpec,
  pods: readonly PodObject[],
  revision: string,
): boolean {
  if (autoscaling || pods.length !== replicas) return true;
  return pods.some((pod) => phaseOf(pod) !== 'ready' || pod.metadata.labels?.[REVISION_LABEL] !== revision);
}
