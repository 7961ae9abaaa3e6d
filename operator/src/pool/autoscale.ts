export interface Autoscaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly targetFreeSessions: number;
  readonly scaleDownDelaySeconds: number;
}

/** One look at the pool: how many replicas were right at that time, in milliseconds of a monotonic clock. */
export interface Recommendation {
  readonly at: number;
  readonly replicas: number;
}

/**
 * How many replicas leave `targetFreeSessions` slots free beside the sessions that are there.
 * @param perPod slots of one pod
 */
export function recommend(
  { minReplicas, maxReplicas, targetFreeSessions }: Autoscaling,
  active: number,
  perPod: number,
): number {
  const needed = Math.ceil((active + targetFreeSessions) / perPod);
  return Math.min(maxReplicas, Math.max(minReplicas, needed));
}

/** Whether more pods would be right than there may be. */
export function isAtMaximum({ targetFreeSessions, maxReplicas }: Autoscaling, active: number, perPod: number): boolean {
  return Math.ceil((active + targetFreeSessions) / perPod) > maxReplicas;
}

/** What autoscaling saw of a pool. */
export interface Demand {
  /** Sessions that agents told of. */
  readonly active: number;
  /** Slots of one pod. */
  readonly perPod: number;
  /** Pods that serve, and of those the ones that may be full for all that is known. */
  readonly serving: number;
  readonly unheard: number;
}

/**
 * How many replicas are right now. Who is not heard counts as full: that keeps pods, and makes none. A pod that is new is not heard either, and
 * would call for one more, as that one would; and an operator that is cut off from all agents would fill the cluster.
 */
export function rightNow(settings: Autoscaling, { active, perPod, serving, unheard }: Demand): number {
  const ifFull = recommend(settings, active + unheard * perPod, perPod);
  return Math.max(recommend(settings, active, perPod), Math.min(serving, ifFull));
}

/**
 * Scales up at once, and down only to the highest that was recommended within the delay, as the HorizontalPodAutoscaler does: a short lull
 * takes no warm pods away.
 * @returns the replicas now, and the recommendations to remember
 */
export function autoscale(
  settings: Autoscaling,
  demand: Demand,
  now: number,
  history: readonly Recommendation[],
): { replicas: number; history: Recommendation[] } {
  const newest = { at: now, replicas: rightNow(settings, demand) };
  const within = history.filter(({ at }) => now - at < settings.scaleDownDelaySeconds * 1000);
  const remembered = [...within.filter(({ replicas }) => replicas > newest.replicas), newest];
  const highest = Math.max(...remembered.map(({ replicas }) => replicas));
  return { replicas: Math.min(settings.maxReplicas, highest), history: remembered };
}
