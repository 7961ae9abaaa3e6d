import { createHash, randomBytes } from 'node:crypto';
import {
  type ApiClient,
  apply,
  type Clock,
  classify,
  create,
  type Desired,
  pathOf,
  type Resource,
  resources,
} from '@replpool/kube';
import { configSecret, secretName } from '../specs/config-secret.ts';
import { agentService, disruptionBudget, networkPolicy, serviceAccount } from '../specs/objects.ts';
import type { Pool } from '../specs/owned.ts';

/** What somebody else changed or deleted comes back after so long at the latest. */
const AGAIN_MS = 600_000;

interface Applied {
  readonly hash: string;
  readonly at: number;
  /** Revisions whose Secrets are there. */
  readonly revisions: Set<string>;
}

/** A pool's own objects beside its pods. They are applied when they change, not at every look. */
export class OwnObjects {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #releaseNamespace: string;
  readonly #applied = new Map<string, Applied>();

  constructor(client: ApiClient, clock: Clock, releaseNamespace: string) {
    this.#client = client;
    this.#clock = clock;
    this.#releaseNamespace = releaseNamespace;
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
    if (isFresh && before.revisions.has(revision)) return;
    if (!isFresh)
      for (const [resource, object] of wanted) await apply(this.#client, resource, object as Desired, { signal });
    await this.#ensureSecret(pool, revision, signal);
    const revisions = new Set(before?.revisions).add(revision);
    this.#applied.set(key, { hash, at: isFresh ? before.at : now, revisions });
  }

  /** Removes the Secrets of revisions that no pod is of any more. */
  async dropOld(key: string, pool: Pool, inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const revisions = this.#applied.get(key)?.revisions ?? new Set<string>();
    for (const revision of [...revisions].filter((each) => !inUse.has(each))) {
      const path = pathOf(resources.secrets, { namespace: pool.namespace, name: secretName(pool, revision) });
      await this.#client.request({ method: 'DELETE', path, signal }).catch((error: unknown) => {
        if (classify(error) !== 'NotFound') throw error;
      });
      revisions.delete(revision);
    }
  }

  forget(key: string): void {
    this.#applied.delete(key);
  }

  async #ensureSecret(pool: Pool, revision: string, signal: AbortSignal): Promise<void> {
    const { metadata, ...secret } = configSecret(pool, revision, randomBytes(32).toString('base64url'));
    try {
      await create(this.#client, resources.secrets, { ...secret, metadata: { ...metadata } } as Desired, signal);
    } catch (error) {
      if (classify(error) !== 'AlreadyExists') throw error;
    }
  }
}
