import type { ReplPoolSpec } from '@replpool/protocol';
import { type Autoscaling, autoscale, type Demand, isAtMaximum, type Recommendation } from './autoscale.ts';
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
    const demand = demandOf(seen, sessions.maxPerPod);
    const known = this.#recommendations.get(key) ?? startingFrom(autoscaling, demand, now);
    const next = autoscale(autoscaling, demand, now, known);
    this.#recommendations.set(key, next.history);
    return { replicas: next.replicas, atMaximum: isAtMaximum(autoscaling, demand.active, demand.perPod) };
  }

  forget(key: string): void {
    this.#recommendations.delete(key);
  }
}

/** Where no agent runs nobody has a session. What drains goes though it be full, and its sessions want room elsewhere as long as they last. */
function demandOf(seen: readonly PodView[], perPod: number): Demand {
  const live = seen.filter(isLive);
  const serving = live.filter(({ phase }) => phase !== 'draining');
  return {
    active: live.reduce((total, { load }) => total + (load?.sessions ?? 0), 0),
    perPod,
    serving: serving.length,
    unheard: serving.filter(({ phase, load }) => phase !== 'pending' && load === undefined).length,
  };
}

/** As many pods as there are were right until now: an operator that starts knows nothing of the time before. */
function startingFrom({ maxReplicas }: Autoscaling, { serving }: Demand, now: number): Recommendation[] {
  return [{ at: now, replicas: Math.min(maxReplicas, serving) }];
}
