import { apply, resources } from '@replpool/kube';
import type { Tokens } from '../agents/tokens.ts';
import type { Reconciled } from '../queue/workers.ts';
import { REVISION_LABEL } from '../specs/labels.ts';
import { AGENT_PORT } from '../specs/owned.ts';
import { revisionOf } from '../specs/revision.ts';
import { type Autoscaling, autoscale, isAtMaximum, type Recommendation } from './autoscale.ts';
import { type CreateParts, createPods, type Refused } from './create-pods.ts';
import { isDraining, problemOf, viewOf } from './observe.ts';
import type { OwnObjects } from './own-objects.ts';
import { type Plan, plan } from './plan.ts';
import type { PodObject } from './pod-object.ts';
import { isLive, type PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';
import { deletePod, drainPod, type RetireParts, tellToDrain } from './retire.ts';
import { isSameStatus, statusOf } from './status.ts';

export interface ReconcilerOptions extends RetireParts, CreateParts {
  readonly ownObjects: OwnObjects;
  pool(key: string): PoolObject | undefined;
  podsOf(pool: PoolObject): readonly PodObject[];
  readonly tokens: Tokens;
}

/** How often autoscaling looks at a pool in which nothing changes. */
const AUTOSCALE_MS = 15_000;

/** Brings one pool nearer to its spec each time it is called; it keeps nothing in memory but what the watch has not shown yet. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** What autoscaling found right lately, by pool. A new leader begins anew, and scales down no sooner for it. */
  readonly #recommendations = new Map<string, Recommendation[]>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled> {
    const pool = this.#options.pool(key);
    // Its pods go with it: each drains within its own grace.
    if (!pool || pool.deleting) {
      this.#options.expectations.forget(key);
      this.#recommendations.delete(key);
      this.#options.ownObjects.forget(key);
      return {};
    }
    const revision = revisionOf(pool, this.#options.settings);
    const objects = this.#options.podsOf(pool);
    await this.#listen(pool, objects, signal);
    const seen = this.#views(key, objects);
    const { replicas, atMaximum } = this.#wanted(key, pool, seen);
    const { maxSurge, maxUnavailable } = pool.spec.update;
    let refused: Refused | undefined;
    if (!pool.spec.paused) {
      await this.#options.ownObjects.ensure(key, pool, revision, signal);
      for (const pod of objects) if (isDraining(pod)) await tellToDrain(this.#options, pod);
      const next = plan(seen, { replicas, revision, maxSurge, maxUnavailable }, Date.now());
      refused = await this.#act(key, pool, revision, next, objects, signal);
      await this.#options.ownObjects.dropOld(
        key,
        pool,
        new Set([revision, ...seen.map((pod) => pod.revision)]),
        signal,
      );
    }
    const problems = objects.flatMap((pod) => problemOf(pod) ?? []);
    await this.#report(pool, seen, { replicas, revision, refused, problems, atMaximum }, signal);
    const soonest = Math.min(...seen.flatMap(({ drainsUntil }) => drainsUntil ?? []));
    if (refused) throw new Error(`pods of ${key} cannot be made: ${refused.message}`);
    if (Number.isFinite(soonest)) return { againAfterMs: Math.max(1000, soonest - Date.now()) };
    // A scale-down is due when its delay is over, though nothing changed.
    const { autoscaling } = pool.spec;
    if (!autoscaling) return {};
    return { againAfterMs: Math.min(AUTOSCALE_MS, (autoscaling.scaleDownDelaySeconds + 1) * 1000) };
  }

  #wanted(key: string, { spec }: PoolObject, seen: readonly PodView[]): { replicas: number; atMaximum: boolean } {
    const { autoscaling, replicas, sessions } = spec;
    if (!autoscaling) return { replicas, atMaximum: false };
    const active = seen.filter(isLive).reduce((total, { load }) => total + (load?.sessions ?? 0), 0);
    const perPod = sessions.maxPerPod;
    const known = this.#recommendations.get(key) ?? startingFrom(autoscaling, seen, performance.now());
    const next = autoscale(autoscaling, { active, perPod, now: performance.now() }, known);
    this.#recommendations.set(key, next.history);
    return { replicas: next.replicas, atMaximum: isAtMaximum(autoscaling, active, perPod) };
  }

  /** Holds a stream to the agent of each pod that has an address. */
  async #listen(pool: PoolObject, objects: readonly PodObject[], signal: AbortSignal): Promise<void> {
    const { agents, tokens } = this.#options;
    for (const pod of objects) {
      const { name, uid, labels } = pod.metadata;
      const { podIP, phase } = pod.status ?? {};
      if (podIP === undefined || phase !== 'Running') continue;
      const token = await tokens.of(pool, labels?.[REVISION_LABEL] ?? '', signal);
      // Somebody deleted the Secret: the agent cannot be asked, and counts as busy.
      if (token === undefined) continue;
      agents.listen(uid, { pod: name, pool: `${pool.namespace}:${pool.name}`, url: urlOf(podIP), token });
    }
  }

  /** The pods as the store has them, corrected by what it does not show yet. */
  #views(key: string, objects: readonly PodObject[]): PodView[] {
    const seen = new Set(objects.map(({ metadata }) => metadata.uid));
    const { created, deleted } = this.#options.expectations.unseen(key, seen);
    const views = objects.map((pod) => viewOf(pod, (uid) => this.#options.agents.loadOf(uid)));
    return [
      ...views.map((view) => (deleted.has(view.uid) ? { ...view, phase: 'terminating' as const } : view)),
      ...created.map(
        ({ uid, revision }): PodView => ({ name: uid, uid, revision, createdAt: 0, phase: 'pending', load: undefined }),
      ),
    ];
  }

  async #act(
    key: string,
    pool: PoolObject,
    revision: string,
    next: Plan,
    objects: readonly PodObject[],
    signal: AbortSignal,
  ): Promise<Refused | undefined> {
    const parts = this.#options;
    const objectOf = new Map(objects.map((pod) => [pod.metadata.uid, pod]));
    for (const view of next.delete) {
      const pod = objectOf.get(view.uid);
      if (pod) await deletePod(parts, key, pool, pod, view.phase, signal);
    }
    for (const view of next.drain) {
      const pod = objectOf.get(view.uid);
      if (pod) await drainPod(parts, pool, pod, signal);
    }
    return await createPods(parts, key, pool, { count: next.create, revision }, signal);
  }

  async #report(
    pool: PoolObject,
    seen: readonly PodView[],
    facts: Parameters<typeof statusOf>[2],
    signal: AbortSignal,
  ): Promise<void> {
    const status = statusOf(pool, seen, facts, new Date().toISOString());
    if (isSameStatus(pool.status, status)) return;
    const { name, namespace } = pool;
    const metadata = { name, namespace };
    await apply(this.#options.client, resources.replPools, { metadata, status }, { subresource: 'status', signal });
  }
}

/** As many pods as there are were right until now: an operator that starts has heard no agent yet, and takes none for idle. */
function startingFrom({ maxReplicas }: Autoscaling, seen: readonly PodView[], now: number): Recommendation[] {
  return [{ at: now, replicas: Math.min(maxReplicas, seen.filter(isLive).length) }];
}

function urlOf(podIP: string): string {
  return `http://${podIP.includes(':') ? `[${podIP}]` : podIP}:${AGENT_PORT}`;
}

/** Whether a pod is this pool's: by its owner's uid, for a pool of the same name may have been deleted. */
export function isOwnedBy(pod: PodObject, pool: PoolObject): boolean {
  return pod.metadata.ownerReferences?.some(({ uid }) => uid === pool.uid) ?? false;
}
