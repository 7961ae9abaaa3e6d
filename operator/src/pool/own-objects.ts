import { createHash } from 'node:crypto';
import { type ApiClient, apply, type Clock, type Desired, find, type Resource, resources } from '@replpool/kube';
import { agentService, disruptionBudget, networkPolicy, serviceAccount } from '../specs/objects.ts';
import { expectOwned, type Pool } from '../specs/owned.ts';
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

/** What a pool's own objects are made for. */
export interface OwnObjectsFacts {
  readonly revision: string;
  /** How many pods the pool is to have now. */
  readonly replicas: number;
}

/** A pool's own objects beside its pods. They are applied when they change, not at every look. */
export class OwnObjects {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #releaseNamespace: string;
  readonly #certificates: KeepsCertificates;
  readonly #configMaps: ConfigMaps;
  /** By the pool's key, and in it by the kind. */
  readonly #applied = new Map<string, Map<string, Applied>>();

  constructor(client: ApiClient, clock: Clock, releaseNamespace: string, certificates: KeepsCertificates) {
    this.#client = client;
    this.#clock = clock;
    this.#releaseNamespace = releaseNamespace;
    this.#certificates = certificates;
    this.#configMaps = new ConfigMaps(client, clock, AGAIN_MS);
  }

  /** Makes what is missing for pods of this revision. @throws ApiError, NoAnswerError, ForeignObjectError */
  async ensure(key: string, pool: Pool, { revision, replicas }: OwnObjectsFacts, signal: AbortSignal): Promise<void> {
    await this.#certificates.ensure(pool, signal);
    await this.#configMaps.ensure(key, pool, revision, signal);
    await this.#apply(key, pool, resources.serviceAccounts, serviceAccount(pool), signal);
    await this.#apply(key, pool, resources.services, agentService(pool), signal);
    await this.#apply(key, pool, resources.podDisruptionBudgets, disruptionBudget(pool, replicas), signal);
    await this.#apply(key, pool, resources.networkPolicies, networkPolicy(pool, this.#releaseNamespace), signal);
  }

  /** Removes what revisions had that no pod is of any more. */
  async dropOld(key: string, pool: Pool, inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#configMaps.dropOld(key, pool, inUse, signal);
  }

  forget(key: string): void {
    this.#applied.delete(key);
    this.#configMaps.forget(key);
  }

  async #apply(key: string, pool: Pool, resource: Resource, object: object, signal: AbortSignal): Promise<void> {
    const applied = this.#applied.get(key) ?? new Map<string, Applied>();
    this.#applied.set(key, applied);
    const hash = createHash('sha256')
      .update(JSON.stringify([pool.uid, object]))
      .digest('base64');
    const before = applied.get(resource.kind);
    const now = this.#clock.now();
    if (before?.hash === hash && now - before.at < AGAIN_MS) return;
    const desired = object as Desired;
    const there = await find(this.#client, resource, desired.metadata, signal);
    if (there) expectOwned(pool, resource.kind, there);
    // The uid is a condition: what takes its place meanwhile is left alone.
    const metadata = { ...desired.metadata, ...(there && { uid: there.metadata.uid }) };
    await apply(this.#client, resource, { ...desired, metadata }, { signal });
    applied.set(resource.kind, { hash, at: now });
  }
}
