import { createHash } from 'node:crypto';
import { type ApiClient, apply, type Clock, type Desired, type Resource, resources } from '@replpool/kube';
import { agentService, disruptionBudget, networkPolicy, serviceAccount } from '../specs/objects.ts';
import type { Pool } from '../specs/owned.ts';
import { ConfigMaps } from './config-maps.ts';

/** What somebody else changed or deleted comes back after so long at the latest. */
const AGAIN_MS = 600_000;

interface Applied {
  readonly hash: string;
  readonly at: number;
}

/** Sees to the Secret with the certificate of a pool's agents. */
export interface KeepsCertificates {
  ensure(pool: Pool, signal: AbortSignal): Promise<void>;
}

/** A pool's own objects beside its pods. They are applied when they change, not at every look. */
export class OwnObjects {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #releaseNamespace: string;
  readonly #certificates: KeepsCertificates;
  readonly #configMaps: ConfigMaps;
  readonly #applied = new Map<string, Applied>();

  constructor(client: ApiClient, clock: Clock, releaseNamespace: string, certificates: KeepsCertificates) {
    this.#client = client;
    this.#clock = clock;
    this.#releaseNamespace = releaseNamespace;
    this.#certificates = certificates;
    this.#configMaps = new ConfigMaps(client);
  }

  /** Makes what is missing for pods of this revision. @throws ApiError, NoAnswerError */
  async ensure(key: string, pool: Pool, revision: string, signal: AbortSignal): Promise<void> {
    const wanted: [Resource, object][] = [
      [resources.serviceAccounts, serviceAccount(pool)],
      [resources.services, agentService(pool)],
      [resources.podDisruptionBudgets, disruptionBudget(pool)],
      [resources.networkPolicies, networkPolicy(pool, this.#releaseNamespace)],
    ];
    const hash = createHash('sha256')
      .update(JSON.stringify([pool.uid, wanted]))
      .digest('base64');
    const before = this.#applied.get(key);
    const now = this.#clock.now();
    const isFresh = before?.hash === hash && now - before.at < AGAIN_MS;
    await this.#certificates.ensure(pool, signal);
    await this.#configMaps.ensure(key, pool, revision, { again: !isFresh }, signal);
    if (isFresh) return;
    for (const [resource, object] of wanted) await apply(this.#client, resource, object as Desired, { signal });
    this.#applied.set(key, { hash, at: now });
  }

  /** Removes what revisions had that no pod is of any more. */
  async dropOld(key: string, pool: Pool, inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#configMaps.dropOld(key, pool, inUse, signal);
  }

  forget(key: string): void {
    this.#applied.delete(key);
    this.#configMaps.forget(key);
  }
}
