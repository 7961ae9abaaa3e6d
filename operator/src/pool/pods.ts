import { POOL_LABEL } from '../specs/labels.ts';
import type { PodObject } from './pod-object.ts';

/** The pods of the store by the pool that their label names: a look at one pool must not go through the pods of all. */
export class PodsByPool {
  readonly #pools = new Map<string, Map<string, PodObject>>();
  readonly #poolOf = new Map<string, string>();

  /** @returns the key of its pool */
  put(pod: PodObject): string {
    // Its label may have named another one before.
    this.remove(pod);
    const pool = poolKey(pod);
    const pods = this.#pools.get(pool) ?? new Map<string, PodObject>();
    pods.set(pod.metadata.uid, pod);
    this.#pools.set(pool, pods);
    this.#poolOf.set(pod.metadata.uid, pool);
    return pool;
  }

  /** @returns the key of the pool that it was of */
  remove(pod: PodObject): string {
    const { uid } = pod.metadata;
    const pool = this.#poolOf.get(uid) ?? poolKey(pod);
    const pods = this.#pools.get(pool);
    pods?.delete(uid);
    if (pods?.size === 0) this.#pools.delete(pool);
    this.#poolOf.delete(uid);
    return pool;
  }

  of(pool: string): readonly PodObject[] {
    return [...(this.#pools.get(pool)?.values() ?? [])];
  }

  /** The key of the pool that a pod's label names. */
  poolOf(uid: string): string | undefined {
    return this.#poolOf.get(uid);
  }
}

function poolKey({ metadata }: PodObject): string {
  return `${metadata.namespace}/${metadata.labels?.[POOL_LABEL] ?? ''}`;
}
