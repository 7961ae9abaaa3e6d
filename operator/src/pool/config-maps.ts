import {
  type ApiClient,
  type Clock,
  classify,
  create,
  type Desired,
  find,
  isRecord,
  type KubeObject,
  pathOf,
  remove,
  resources,
  toKubeObject,
} from '@replpool/kube';
import { configMap } from '../specs/config-map.ts';
import { POOL_LABEL, REVISION_LABEL } from '../specs/labels.ts';
import { expectOwned, isOwnedBy, type Pool } from '../specs/owned.ts';

interface Known {
  readonly uid: string;
  /** By the revision: which ConfigMap it is, and when it was seen. */
  readonly maps: Map<string, { readonly map: KubeObject; readonly seenAt: number }>;
}

/** What agents are started with: one ConfigMap for each revision that a pod is of. */
export class ConfigMaps {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #againMs: number;
  /** Those of a pool: at first what an operator before us left. */
  readonly #known = new Map<string, Known>();

  /** @param againMs when to look again whether one that was there still is */
  constructor(client: ApiClient, clock: Clock, againMs: number) {
    this.#client = client;
    this.#clock = clock;
    this.#againMs = againMs;
  }

  /** @throws ApiError, NoAnswerError, ForeignObjectError */
  async ensure(key: string, pool: Pool, revision: string, signal: AbortSignal): Promise<void> {
    const maps = await this.#mapsOf(key, pool, signal);
    const known = maps.get(revision);
    const now = this.#clock.now();
    if (known && now - known.seenAt < this.#againMs) return;
    maps.set(revision, { map: await this.#make(pool, revision, signal), seenAt: now });
  }

  /** Removes those of revisions that no pod is of any more. */
  async dropOld(key: string, pool: Pool, inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const maps = await this.#mapsOf(key, pool, signal);
    for (const [revision, { map }] of [...maps].filter(([each]) => !inUse.has(each))) {
      await remove(this.#client, resources.configMaps, map, { signal }).catch((error: unknown) => {
        // Ours is gone, and what has its name now is another's.
        if (classify(error) !== 'Conflict') throw error;
      });
      maps.delete(revision);
    }
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  async #make(pool: Pool, revision: string, signal: AbortSignal): Promise<KubeObject> {
    const desired = configMap(pool, revision) as unknown as Desired;
    try {
      return await create(this.#client, resources.configMaps, desired, signal);
    } catch (error) {
      if (classify(error) !== 'AlreadyExists') throw error;
      const there = await find(this.#client, resources.configMaps, desired.metadata, signal);
      if (there === undefined) throw error;
      expectOwned(pool, 'ConfigMap', there);
      return there;
    }
  }

  /** Listed once, for only those of the time before are not known to us. */
  async #mapsOf(key: string, pool: Pool, signal: AbortSignal): Promise<Known['maps']> {
    const known = this.#known.get(key);
    if (known?.uid === pool.uid) return known.maps;
    const path = pathOf(resources.configMaps, { namespace: pool.namespace });
    const query = { labelSelector: `${POOL_LABEL}=${pool.name},${REVISION_LABEL}` };
    const answer = await this.#client.request({ path, query, signal });
    const items: unknown[] = isRecord(answer) && Array.isArray(answer.items) ? answer.items : [];
    const owned = items.map(toKubeObject).filter((object) => isOwnedBy(object, pool.uid));
    const seenAt = this.#clock.now();
    const maps: Known['maps'] = new Map(owned.map((map) => [revisionLabel(map), { map, seenAt }]));
    this.#known.set(key, { uid: pool.uid, maps });
    return maps;
  }
}

function revisionLabel({ metadata: { labels } }: KubeObject): string {
  return isRecord(labels) ? String(labels[REVISION_LABEL]) : '';
}
