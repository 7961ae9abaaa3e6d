import type { ReplPoolSpec } from '@replpool/protocol';
import { type Autoscaling, autoscale, isAtMaximum, type Recommendation } from './autoscale.ts';
import { isLive, type PodView } from './pod-view.ts';

/** How many pods pools are to have: what their specs say, or what autoscaling finds. */
export class Replicas {
  /** What autoscaling found right lately, by pool. A new leader begins anew, and scales down no sooner for it. */
  readonly #recommendations = new Map<string, Recommendation[]>();

  /** @param now in milliseconds of a monotonic clock */
  wanted(
    key: string,
    { autoscaling, replicas, sessions }: ReplPoolSpec,
    seen: readonly PodView[],
    now: number,
  ): { replicas: number; atMaximum: boolean } {
    if (!autoscaling) {
      this.#recommendations.delete(key);
      return { replicas, atMaximum: false };
    }
    const active = seen.filter(isLive).reduce((total, { load }) => total + (load?.sessions ?? 0), 0);
    const perPod = sessions.maxPerPod;
    const known = this.#recommendations.get(key) ?? startingFrom(autoscaling, seen, now);
    const next = autoscale(autoscaling, { active, perPod, now }, known);
    this.#recommendations.set(key, next.history);
    return { replicas: next.replicas, atMaximum: isAtMaximum(autoscaling, active, perPod) };
  }

  forget(key: string): void {
    this.#recommendations.delete(key);
  }
}

/** As many pods as there are were right until now: an operator that starts has heard no agent yet, and takes none for idle. */
function startingFrom({ maxReplicas }: Autoscaling, seen: readonly PodView[], now: number): Recommendation[] {
  return [{ at: now, replicas: Math.min(maxReplicas, seen.filter(isLive).length) }];
}
