import {
  type ApiClient,
  classify,
  create,
  type Desired,
  isRecord,
  type KubeObject,
  pathOf,
  remove,
  resources,
  toKubeObject,
} from '@replpool/kube';
import { configMap, configMapName } from '../specs/config-map.ts';
import { POOL_LABEL, REVISION_LABEL } from '../specs/labels.ts';
import { isOwnedBy, type Pool } from '../specs/owned.ts';

/** What agents are started with: one ConfigMap for each revision that a pod is of. */
export class ConfigMaps {
  readonly #client: ApiClient;
  /** Of which revisions a pool has ConfigMaps: at first those that an operator before us left. */
  readonly #known = new Map<string, { readonly uid: string; readonly revisions: Set<string> }>();

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** @param options.again looks whether one that was there still is */
  async ensure(
    key: string,
    pool: Pool,
    revision: string,
    { again }: { readonly again: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const revisions = await this.#revisionsOf(key, pool, signal);
    if (revisions.has(revision) && !again) return;
    const desired = configMap(pool, revision) as unknown as Desired;
    await this.#create(desired, signal).catch(async (error: unknown) => {
      if (classify(error) !== 'AlreadyExists') throw error;
      const path = pathOf(resources.configMaps, { namespace: pool.namespace, name: desired.metadata.name });
      const there = toKubeObject(await this.#client.request({ path, signal }));
      if (isOwnedBy(there, pool.uid)) return;
      // Of a pool of this name that was deleted: it goes with that one, from under our pods.
      await remove(this.#client, resources.configMaps, there, { signal });
      await this.#create(desired, signal);
    });
    revisions.add(revision);
  }

  /** Removes those of revisions that no pod is of any more. */
  async dropOld(key: string, pool: Pool, inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const revisions = await this.#revisionsOf(key, pool, signal);
    for (const revision of [...revisions].filter((each) => !inUse.has(each))) {
      const path = pathOf(resources.configMaps, { namespace: pool.namespace, name: configMapName(pool, revision) });
      await this.#client.request({ method: 'DELETE', path, signal }).catch((error: unknown) => {
        if (classify(error) !== 'NotFound') throw error;
      });
      revisions.delete(revision);
    }
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  async #create(desired: Desired, signal: AbortSignal): Promise<void> {
    await create(this.#client, resources.configMaps, desired, signal);
  }

  /** Listed once, for only those of the time before are not known to us. */
  async #revisionsOf(key: string, pool: Pool, signal: AbortSignal): Promise<Set<string>> {
    const known = this.#known.get(key);
    if (known?.uid === pool.uid) return known.revisions;
    const path = pathOf(resources.configMaps, { namespace: pool.namespace });
    const query = { labelSelector: `${POOL_LABEL}=${pool.name},${REVISION_LABEL}` };
    const answer = await this.#client.request({ path, query, signal });
    const items: unknown[] = isRecord(answer) && Array.isArray(answer.items) ? answer.items : [];
    const owned = items.map(toKubeObject).filter((object) => isOwnedBy(object, pool.uid));
    const revisions = new Set(owned.map(revisionLabel));
    this.#known.set(key, { uid: pool.uid, revisions });
    return revisions;
  }
}

function revisionLabel({ metadata: { labels } }: KubeObject): string {
  return isRecord(labels) ? String(labels[REVISION_LABEL]) : '';
}
