import type { SeenCondition, SeenPool } from '../objects.ts';

/** A pool as `status` shows it; also what `-o json` and `-o yaml` print. */
export interface PoolView {
  readonly namespace: string;
  readonly name: string;
  /** A number of pods, or autoscaling's range, as `1-20`. */
  readonly desired: string;
  readonly replicas: number;
  readonly ready: number;
  readonly updated: number;
  readonly sessions: { readonly active: number; readonly idle: number; readonly capacity: number } | undefined;
  readonly hitRatio: string | undefined;
  readonly acquireP95Ms: number | undefined;
  readonly isolation: string | undefined;
  readonly paused: boolean;
  readonly createdAt: string | undefined;
  /** What is not as it should be; empty where all is well. */
  readonly issues: readonly string[];
  readonly conditions: readonly SeenCondition[];
}

export function poolView({ metadata, spec, status }: SeenPool): PoolView {
  const { autoscaling, replicas, paused } = spec;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    desired: autoscaling === undefined ? String(replicas) : `${autoscaling.minReplicas}-${autoscaling.maxReplicas}`,
    replicas: status?.replicas ?? 0,
    ready: status?.readyReplicas ?? 0,
    updated: status?.updatedReplicas ?? 0,
    sessions: status?.sessions,
    hitRatio: status?.warmHitRatio,
    acquireP95Ms: status?.acquireP95Ms,
    isolation: status?.isolation,
    paused,
    createdAt: metadata.creationTimestamp,
    issues: issuesOf(metadata, status),
    conditions: status?.conditions ?? [],
  };
}

function issuesOf(metadata: SeenPool['metadata'], status: SeenPool['status']): string[] {
  // Without these two a reader would take what was true before the change for what is true now.
  if (status === undefined) return ['NotSeenByOperator'];
  const stale = status.observedGeneration < metadata.generation ? ['ChangeNotSeenByOperator'] : [];
  const deleting = metadata.deletionTimestamp === undefined ? [] : ['Deleting'];
  return [...deleting, ...stale, ...status.conditions.filter((it) => !isAsItShouldBe(it)).map(issueOf)];
}

/** `Ready` is good news, all others are not; `Progressing` is none of both, and says that the pool is not as wanted yet. */
export function isAsItShouldBe({ type, status }: SeenCondition): boolean {
  return status === (type === 'Ready' ? 'True' : 'False');
}

function issueOf({ type, reason }: SeenCondition): string {
  return type === 'Ready' ? `NotReady(${reason})` : `${type}(${reason})`;
}

/** Whether it takes sessions, as far as the operator knows. */
export function isPoolReady({ conditions, issues }: PoolView): boolean {
  const isKnown = !issues.some((issue) => issue.endsWith('NotSeenByOperator'));
  return isKnown && conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
