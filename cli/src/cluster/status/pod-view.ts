import { DRAIN_UNTIL_ANNOTATION, REVISION_LABEL } from '@replpool/protocol';
import { isReady, type SeenPod } from '../objects.ts';

/** A pod of a pool as `status` shows it. */
export interface AgentPodView {
  readonly name: string;
  readonly node: string | undefined;
  readonly state: string;
  readonly revision: string;
  readonly current: boolean;
  readonly drainsUntil: string | undefined;
  readonly restarts: number;
  /** Undefined where its agent's metrics could not be read. */
  readonly sessions: number | undefined;
  readonly createdAt: string | undefined;
}

export function agentPodViews(
  pods: readonly SeenPod[],
  updatedReplicas: number,
  sessionsOf: ReadonlyMap<string, number>,
): AgentPodView[] {
  const current = currentRevision(pods, updatedReplicas);
  return pods.map((pod) => {
    const { name, labels, annotations, creationTimestamp } = pod.metadata;
    const revision = labels[REVISION_LABEL] ?? '';
    return {
      name,
      node: pod.spec.nodeName,
      state: stateOf(pod),
      revision,
      current: revision === current,
      drainsUntil: annotations[DRAIN_UNTIL_ANNOTATION],
      restarts: pod.status.containerStatuses.reduce((total, { restartCount }) => total + restartCount, 0),
      sessions: sessionsOf.get(name),
      createdAt: creationTimestamp,
    };
  });
}

/**
 * The revision that new pods are made of. The operator tells only how many pods are of it, so it is the one that so many serving pods have;
 * of several such the one with the youngest pod.
 */
export function currentRevision(pods: readonly SeenPod[], updatedReplicas: number): string | undefined {
  const serving = pods.filter(({ metadata, status }) => {
    const leaving = metadata.deletionTimestamp !== undefined || DRAIN_UNTIL_ANNOTATION in metadata.annotations;
    return !leaving && status.phase !== 'Failed' && status.phase !== 'Succeeded';
  });
  const youngestFirst = serving.toSorted((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  );
  const revisions = youngestFirst.map(({ metadata }) => metadata.labels[REVISION_LABEL] ?? '');
  return revisions.find((each) => revisions.filter((it) => it === each).length === updatedReplicas);
}

/** In one word: what kubectl would say, and where that says `Running`, whether it takes sessions. */
export function stateOf(pod: SeenPod): string {
  const { metadata, status } = pod;
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (status.phase === 'Failed' || status.phase === 'Succeeded') return status.reason ?? status.phase;
  const waiting = [...status.initContainerStatuses, ...status.containerStatuses].find(({ state }) => state.waiting);
  const reason = waiting?.state.waiting?.reason;
  if (reason !== undefined && reason !== 'PodInitializing' && reason !== 'ContainerCreating') return reason;
  if (DRAIN_UNTIL_ANNOTATION in metadata.annotations) return 'Draining';
  if (status.phase !== 'Running') {
    const scheduled = status.conditions.find(({ type }) => type === 'PodScheduled');
    return scheduled?.status === 'False' ? scheduled.reason : (reason ?? status.phase);
  }
  return isReady(pod) ? 'Ready' : 'NotReady';
}
