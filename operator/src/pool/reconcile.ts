import type { Clock } from '@replpool/kube';
import type { Logger } from 'pino';
import type { Agents } from '../agents/agents.ts';
import type { Reconciled } from '../queue/workers.ts';
import { revisionOf } from '../specs/revision.ts';
import { summarizeAcquired } from './acquired.ts';
import { type ActParts, act, type Looked } from './act.ts';
import { agentEndpoint } from './agent-endpoint.ts';
import type { Refused } from './create-pods.ts';
import { enforcedByAll } from './enforced.ts';
import { evictionOf } from './eviction.ts';
import { type FailureStreak, streakAfter, streakMessage } from './failure-streak.ts';
import { isMoving } from './moving.ts';
import { isPassing } from './passing.ts';
import type { PodObject } from './pod-object.ts';
import type { PoolObject } from './pool-object.ts';
import { problemOf } from './problems.ts';
import { Replicas } from './replicas.ts';
import { type StatusFacts, statusOf } from './status.ts';
import { StatusReports } from './status-reports.ts';
import { type Trouble, troubleAfter, troubleOf } from './trouble.ts';
import { viewsOf } from './views.ts';
import { wakeUpMs } from './wake-up.ts';

export interface ReconcilerOptions extends ActParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly agents: Pick<Agents, 'listen' | 'loadOf' | 'isAwaited' | 'saidOf' | 'drain'>;
  pool(key: string): PoolObject | undefined;
  podsOf(pool: PoolObject): readonly PodObject[];
}

/**
 * Brings one pool nearer to its spec each time it is called. It remembers what the watch has not shown yet, and a short past; a new leader
 * begins without either.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #replicas = new Replicas();
  readonly #streaks = new Map<string, FailureStreak>();
  readonly #troubles = new Map<string, Trouble>();
  readonly #reports: StatusReports;
  /** Of the pool that is remembered by a key. */
  readonly #uids = new Map<string, string>();

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
    // Deleted and made anew between two looks: nothing that is known is of this one.
    if (this.#uids.get(key) !== pool.uid) this.#forget(key);
    this.#uids.set(key, pool.uid);
    const { agents, expectations, settings, clock, wallClock } = this.#options;
    const revision = revisionOf(pool, settings);
    const objects = this.#options.podsOf(pool);
    this.#listen(pool, objects, isMoving(pool.spec, objects, revision));
    const streak = await this.#streak(key, pool, objects, revision, signal);
    // After the wait for that: the plan is to act on what agents say now.
    const seen = viewsOf(key, objects, agents, expectations);
    const wanted = this.#replicas.wanted(key, pool.spec, seen, clock.now());
    const looked = { revision, replicas: wanted.replicas, objects, seen, streak };
    const { trouble, refused, failure } = await this.#act(key, pool, looked, signal);
    const facts: StatusFacts = {
      ...{ ...wanted, ...trouble, revision },
      failing: streakMessage(streak),
      problems: objects.flatMap((pod) => problemOf(pod, agents.saidOf(pod.metadata.uid).failures) ?? []),
      acquired: summarizeAcquired(objects.flatMap((pod) => agents.saidOf(pod.metadata.uid).acquired ?? [])),
      enforced: enforcedByAll(objects.flatMap((pod) => agents.saidOf(pod.metadata.uid).isolation ?? [])),
    };
    const now = new Date(wallClock()).toISOString();
    const status = (before: PoolObject['status']) => statusOf(pool, before, seen, facts, now);
    const heldMs = await this.#reports.report(key, pool, status, signal);
    if (failure !== undefined) throw failure.error;
    const againAfterMs = wakeUpMs(pool.spec, { seen, streak, heldMs }, wallClock());
    return {
      ...(againAfterMs !== undefined && { againAfterMs }),
      ...(refused && { failed: `pods cannot be made: ${refused.message}` }),
    };
  }

  #forget(key: string): void {
    this.#uids.delete(key);
    this.#options.expectations.forget(key);
    this.#options.ownObjects.forget(key);
    this.#replicas.forget(key);
    this.#reports.forget(key);
    this.#streaks.delete(key);
    this.#troubles.delete(key);
  }

  async #streak(
    key: string,
    pool: PoolObject,
    objects: readonly PodObject[],
    revision: string,
    signal: AbortSignal,
  ): Promise<FailureStreak | undefined> {
    const before = this.#streaks.get(key);
    let streak = streakAfter(before, objects, revision, this.#options.wallClock());
    if (streak === undefined) {
      this.#streaks.delete(key);
      return undefined;
    }
    if (streak !== before && streak.reason === undefined) {
      streak = { ...streak, reason: await this.#eviction(pool, streak.last, signal) };
    }
    this.#streaks.set(key, streak);
    return streak;
  }

  /** The pod is replaced, whether or not anybody can say why it is to be. */
  async #eviction(
    { namespace }: PoolObject,
    { name, uid }: FailureStreak['last'],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { client, log } = this.#options;
    try {
      return await evictionOf(client, { namespace, uid }, signal);
    } catch (err) {
      const level = signal.aborted || isPassing(err) ? 'debug' : 'warn';
      log[level]({ err, namespace, pod: name }, 'the events of a pod that ended could not be read');
      return undefined;
    }
  }

  /** Listens to the agent of each pod that has an address. */
  #listen(pool: PoolObject, objects: readonly PodObject[], isNeeded: boolean): void {
    for (const pod of objects) {
      const endpoint = agentEndpoint(pool, pod);
      if (endpoint) this.#options.agents.listen(pod.metadata.uid, endpoint, isNeeded);
    }
  }

  /**
   * Does what there is to do, and remembers what was in its way.
   * @returns what is in the way, also from before; what was refused now; the failure, for the status is to tell it before it is thrown
   * @throws ApiError, NoAnswerError where it passes by itself
   */
  async #act(
    key: string,
    pool: PoolObject,
    looked: Looked,
    signal: AbortSignal,
  ): Promise<{ trouble: Trouble; refused?: Refused | undefined; failure?: { readonly error: unknown } }> {
    const before = this.#troubles.get(key) ?? {};
    // Nothing is tried, so nothing is known to be better.
    if (pool.spec.paused) return { trouble: before };
    try {
      const creation = await act(this.#options, key, pool, looked, signal);
      const trouble = troubleAfter(before, creation);
      this.#troubles.set(key, trouble);
      return { trouble, ...(creation !== 'held' && { refused: creation }) };
    } catch (error) {
      if (signal.aborted || isPassing(error)) throw error;
      const trouble = troubleOf(before, error);
      this.#troubles.set(key, trouble);
      return { trouble, failure: { error } };
    }
  }
}
