import type { Clock } from '@replpool/kube';
import type { Reconciled } from '../queue/workers.ts';
import { AGENT_PORT } from '../specs/owned.ts';
import { revisionOf } from '../specs/revision.ts';
import { summarizeAcquired } from './acquired.ts';
import { type CreateParts, createPods, type Refused } from './create-pods.ts';
import { type FailureStreak, forgottenAt, heldUntil, streakAfter, streakMessage } from './failure-streak.ts';
import { isDraining } from './observe.ts';
import type { OwnObjects } from './own-objects.ts';
import { type Plan, plan } from './plan.ts';
import type { PodObject } from './pod-object.ts';
import type { PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';
import { problemOf } from './problems.ts';
import { Replicas } from './replicas.ts';
import { deletePod, drainPod, type RetireParts, tellToDrain } from './retire.ts';
import { type StatusFacts, statusOf } from './status.ts';
import { StatusReports } from './status-reports.ts';
import { viewsOf } from './views.ts';

export interface ReconcilerOptions extends RetireParts, CreateParts {
  readonly ownObjects: OwnObjects;
  readonly clock: Clock;
  pool(key: string): PoolObject | undefined;
  podsOf(pool: PoolObject): readonly PodObject[];
}

/** How often autoscaling looks at a pool in which nothing changes. */
const AUTOSCALE_MS = 15_000;

/**
 * Brings one pool nearer to its spec each time it is called. It remembers what the watch has not shown yet, and a short past; a new leader
 * begins without either.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #replicas = new Replicas();
  readonly #streaks = new Map<string, FailureStreak>();
  readonly #reports: StatusReports;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#reports = new StatusReports(options);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled> {
    const pool = this.#options.pool(key);
    // Its pods go with it: each drains within its own grace.
    if (!pool || pool.deleting) {
      this.#forget(key);
      return {};
    }
    const { agents, expectations, settings, clock } = this.#options;
    const revision = revisionOf(pool, settings);
    const objects = this.#options.podsOf(pool);
    this.#listen(pool, objects);
    const seen = viewsOf(key, objects, (uid) => agents.loadOf(uid), expectations);
    const streak = this.#streak(key, objects, revision);
    const wanted = this.#replicas.wanted(key, pool.spec, seen, clock.now());
    const refused = pool.spec.paused
      ? undefined
      : await this.#act(key, pool, { revision, replicas: wanted.replicas, objects, seen, streak }, signal);
    const facts: StatusFacts = {
      ...{ ...wanted, revision, refused },
      failing: streakMessage(streak),
      problems: objects.flatMap((pod) => problemOf(pod, agents.saidOf(pod.metadata.uid).failures) ?? []),
      acquired: summarizeAcquired(objects.flatMap((pod) => agents.saidOf(pod.metadata.uid).acquired ?? [])),
    };
    const status = (before: PoolObject['status']) => statusOf(pool, before, seen, facts, new Date().toISOString());
    const heldMs = await this.#reports.report(key, pool, status, signal);
    return {
      ...again(pool, seen, streak, heldMs),
      ...(refused && { failed: `pods cannot be made: ${refused.message}` }),
    };
  }

  #forget(key: string): void {
    this.#options.expectations.forget(key);
    this.#options.ownObjects.forget(key);
    this.#replicas.forget(key);
    this.#reports.forget(key);
    this.#streaks.delete(key);
  }

  #streak(key: string, objects: readonly PodObject[], revision: string): FailureStreak | undefined {
    const streak = streakAfter(this.#streaks.get(key), objects, revision, Date.now());
    if (streak === undefined) this.#streaks.delete(key);
    else this.#streaks.set(key, streak);
    return streak;
  }

  /** Holds a stream to the agent of each pod that has an address. */
  #listen(pool: PoolObject, objects: readonly PodObject[]): void {
    for (const { metadata, status } of objects) {
      const { podIP, phase } = status ?? {};
      if (podIP === undefined || phase !== 'Running') continue;
      const endpoint = { pod: metadata.name, pool: `${pool.namespace}:${pool.name}`, url: urlOf(podIP) };
      this.#options.agents.listen(metadata.uid, endpoint);
    }
  }

  /** Makes, drains and deletes what the plan says. @returns why the API server makes no pods, where it refuses them */
  async #act(
    key: string,
    pool: PoolObject,
    looked: {
      readonly revision: string;
      readonly replicas: number;
      readonly objects: readonly PodObject[];
      readonly seen: readonly PodView[];
      readonly streak: FailureStreak | undefined;
    },
    signal: AbortSignal,
  ): Promise<Refused | undefined> {
    const { revision, replicas, objects, seen, streak } = looked;
    const { ownObjects } = this.#options;
    const { maxSurge, maxUnavailable } = pool.spec.update;
    await ownObjects.ensure(key, pool, revision, signal);
    const told = objects.filter(isDraining).map((pod) => tellToDrain(this.#options, pod, signal));
    await Promise.all(told);
    const next = plan(seen, { replicas, revision, maxSurge, maxUnavailable }, Date.now());
    await this.#retire(key, pool, next, objects, signal);
    const isHeld = streak !== undefined && Date.now() < heldUntil(streak);
    const count = isHeld ? 0 : next.create;
    const refused = await createPods(this.#options, key, pool, { count, revision }, signal);
    await ownObjects.dropOld(key, pool, new Set([revision, ...seen.map((pod) => pod.revision)]), signal);
    return refused;
  }

  async #retire(
    key: string,
    pool: PoolObject,
    next: Plan,
    objects: readonly PodObject[],
    signal: AbortSignal,
  ): Promise<void> {
    const objectOf = new Map(objects.map((pod) => [pod.metadata.uid, pod]));
    for (const view of next.delete) {
      const pod = objectOf.get(view.uid);
      if (pod) await deletePod(this.#options, key, pool, pod, view.phase, signal);
    }
    for (const view of next.drain) {
      const pod = objectOf.get(view.uid);
      if (pod) await drainPod(this.#options, key, pool, pod, signal);
    }
  }
}

/** When to look again though nothing changes: at the end of a drain, of a wait, or where autoscaling may scale down. */
function again(
  { spec: { autoscaling } }: PoolObject,
  seen: readonly PodView[],
  streak: FailureStreak | undefined,
  heldMs: number | undefined,
): Reconciled {
  const now = Date.now();
  const moments = [
    ...seen.flatMap(({ drainsUntil }) => drainsUntil ?? []),
    ...(streak ? [heldUntil(streak), forgottenAt(streak)].filter((at) => at > now) : []),
  ];
  const waits = moments.map((at) => Math.max(1000, at - now));
  if (heldMs !== undefined) waits.push(heldMs);
  if (autoscaling) waits.push(Math.min(AUTOSCALE_MS, (autoscaling.scaleDownDelaySeconds + 1) * 1000));
  return waits.length === 0 ? {} : { againAfterMs: Math.min(...waits) };
}

function urlOf(podIP: string): string {
  return `https://${podIP.includes(':') ? `[${podIP}]` : podIP}:${AGENT_PORT}`;
}

/** Whether a pod is this pool's: by its owner's uid, for a pool of the same name may have been deleted. */
export function isOwnedBy(pod: PodObject, pool: PoolObject): boolean {
  return pod.metadata.ownerReferences?.some(({ uid }) => uid === pool.uid) ?? false;
}
