import { randomBytes } from 'node:crypto';
import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { Agents } from '../agents/agents.ts';
import type { Tokens } from '../agents/tokens.ts';
import type { ApiClient } from '../api/client.ts';
import { classify } from '../api/errors.ts';
import { isRecord, type KubeObject } from '../api/object.ts';
import { type Resource, resources } from '../api/resource.ts';
import { apply, create, type Desired, remove } from '../apply.ts';
import type { EventRecorder } from '../events.ts';
import type { Reconciled } from '../queue/workers.ts';
import { configSecret } from '../specs/config-secret.ts';
import { REVISION_LABEL } from '../specs/labels.ts';
import { agentService, disruptionBudget, networkPolicy, serviceAccount } from '../specs/objects.ts';
import { AGENT_PORT } from '../specs/owned.ts';
import { agentPod, type PodSettings } from '../specs/pod.ts';
import { revisionOf } from '../specs/revision.ts';
import { type Autoscaling, autoscale, isAtMaximum, type Recommendation } from './autoscale.ts';
import type { PoolFacts } from './conditions.ts';
import type { Expectations } from './expectations.ts';
import { DRAIN_UNTIL_ANNOTATION, problemOf, viewOf } from './observe.ts';
import { type Plan, plan } from './plan.ts';
import { isLive, type PodView } from './pod-view.ts';
import type { PodObject, PoolObject } from './pool-object.ts';
import { slowStart } from './slow-start.ts';
import { isSameStatus, statusOf } from './status.ts';

export interface ReconcilerOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly expectations: Expectations;
  readonly settings: PodSettings;
  /** Where operator and routers run. */
  readonly releaseNamespace: string;
  pool(key: string): PoolObject | undefined;
  podsOf(pool: PoolObject): readonly PodObject[];
  readonly agents: Agents;
  readonly tokens: Tokens;
}

/** How often autoscaling looks at a pool in which nothing changes. */
const AUTOSCALE_MS = 15_000;

type Refused = NonNullable<PoolFacts['refused']>;

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
      await this.#ownObjects(pool, revision, signal);
      const next = plan(seen, { replicas, revision, maxSurge, maxUnavailable }, Date.now());
      refused = await this.#act(pool, key, revision, next, objects, signal);
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
      const { name, uid, labels } = pod.metadata as V1ObjectMeta & { name: string; uid: string };
      const { podIP, phase } = pod.status ?? {};
      if (podIP === undefined || phase !== 'Running') continue;
      const token = await tokens.of(pool, labels?.[REVISION_LABEL] ?? '', signal);
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
        (uid): PodView => ({ ...{ name: uid, uid, revision: '', createdAt: 0 }, phase: 'pending', load: undefined }),
      ),
    ];
  }

  async #ownObjects(pool: PoolObject, revision: string, signal: AbortSignal): Promise<void> {
    const { client, releaseNamespace } = this.#options;
    const wanted: [Resource, object][] = [
      [resources.serviceAccounts, serviceAccount(pool)],
      [resources.services, agentService(pool)],
      [resources.podDisruptionBudgets, disruptionBudget(pool)],
      [resources.networkPolicies, networkPolicy(pool, releaseNamespace)],
    ];
    for (const [resource, object] of wanted) await apply(client, resource, object as Desired, { signal });
    const secret = configSecret(pool, revision, randomBytes(32).toString('base64url'));
    await create(client, resources.secrets, { ...secret, metadata: { ...secret.metadata } } as Desired, signal).catch(
      (error: unknown) => {
        if (classify(error) !== 'AlreadyExists') throw error;
      },
    );
  }

  async #act(
    pool: PoolObject,
    key: string,
    revision: string,
    next: Plan,
    objects: readonly PodObject[],
    signal: AbortSignal,
  ): Promise<Refused | undefined> {
    const { agents, client, events, expectations, settings } = this.#options;
    const objectOf = (view: PodView) => objects.find(({ metadata }) => metadata.uid === view.uid);
    for (const view of next.delete) {
      const pod = objectOf(view);
      if (!pod) continue;
      expectations.deleted(key, view.uid);
      await remove(client, resources.pods, pod, { signal });
      events.record(pool, {
        type: 'Normal',
        reason: 'PodDeleted',
        action: 'DeletePod',
        note: `deleted pod ${view.name}, which was ${view.phase}`,
        related: pod,
      });
    }
    const until = new Date(Date.now() + pool.spec.update.drainSeconds * 1000).toISOString();
    for (const view of next.drain) {
      const pod = objectOf(view);
      if (!pod) continue;
      const { name, namespace, uid } = pod.metadata;
      const metadata = {
        name,
        ...(namespace !== undefined && { namespace }),
        uid,
        annotations: { [DRAIN_UNTIL_ANNOTATION]: until },
      };
      // First the agent, for from then on nobody new depends on it; the annotation remembers it for a later operator.
      await agents.drain(uid);
      await apply(client, resources.pods, { metadata }, { signal });
      events.record(pool, {
        type: 'Normal',
        reason: 'PodDrained',
        action: 'DrainPod',
        note: `pod ${name} takes no new sessions`,
        related: pod,
      });
    }
    const { failed } = await slowStart(next.create, async () => {
      const pod = await create(
        client,
        resources.pods,
        agentPod(pool, revision, settings) as unknown as Desired,
        signal,
      );
      expectations.created(key, pod.metadata.uid);
    });
    return failed === undefined ? undefined : this.#refusal(pool, failed);
  }

  #refusal(pool: PoolObject, error: unknown): Refused {
    const failure = classify(error);
    const message = error instanceof Error ? error.message : String(error);
    const kind = failure === 'Quota' ? 'quota' : failure === 'Forbidden' ? 'forbidden' : 'other';
    this.#options.events.record(pool, { type: 'Warning', reason: 'PodNotMade', action: 'CreatePod', note: message });
    return { kind, message };
  }

  async #report(
    pool: PoolObject,
    seen: readonly PodView[],
    facts: Parameters<typeof statusOf>[2],
    signal: AbortSignal,
  ): Promise<void> {
    const status = statusOf(pool, seen, facts, new Date().toISOString());
    if (isSameStatus(pool.status, status)) return;
    const { name, namespace } = pool.metadata;
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
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
export function isOwnedBy(pod: KubeObject, pool: PoolObject): boolean {
  const owners: unknown = pod.metadata.ownerReferences;
  return Array.isArray(owners) && owners.some((owner) => isRecord(owner) && owner.uid === pool.uid);
}
