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

/**
 * Scales up at once, and down only to the highest that was recommended within the delay, as the HorizontalPodAutoscaler does: a short lull
 * takes no warm pods away.
 * @returns the replicas now, and the recommendations to remember
 */
export function autoscale(
  settings: Autoscaling,
  seen: { active: number; perPod: number; now: number },
  history: readonly Recommendation[],
): { replicas: number; history: Recommendation[] } {
  const { active, perPod, now } = seen;
  const newest = { at: now, replicas: recommend(settings, active, perPod) };
  const within = history.filter(({ at }) => now - at < settings.scaleDownDelaySeconds * 1000);
  const remembered = [...within.filter(({ replicas }) => replicas > newest.replicas), newest];
  const highest = Math.max(...remembered.map(({ replicas }) => replicas));
  return { replicas: Math.min(settings.maxReplicas, highest), history: remembered };
}
