import { Lru } from './lru.ts';

export interface Tombstone {
  /** `deleted`, or a reason of SESSION_LOST. */
  readonly reason: string;
  /** Whose it was and where, as far as that was known. */
  readonly of?: { readonly owner: string; readonly pool: string } | undefined;
}

/** Why sessions are no more, for the last `limit` of them. */
export class Tombstones {
  readonly #stones: Lru<Tombstone>;

  constructor(limit = 10_000) {
    this.#stones = new Lru(limit);
  }

  get size(): number {
    return this.#stones.size;
  }

  put(id: string, stone: Tombstone): void {
    this.#stones.set(id, stone);
  }

  get(id: string): Tombstone | undefined {
    return this.#stones.get(id);
  }

  remove(id: string): void {
    this.#stones.delete(id);
  }
}
