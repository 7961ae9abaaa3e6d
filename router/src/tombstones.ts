import { Lru } from './lru.ts';

export interface Tombstone {
  /** `deleted`, or a reason of SESSION_LOST. */
  readonly reason: string;
  /** Whose it was and where, as far as that was known. */
  readonly of?: { readonly owner: string; readonly pool: string } | undefined;
}

/** Why sessions are no more, for the last `limit` of each pool: no pool drives out what is known of another one's. */
export class Tombstones {
  readonly #limit: number;
  readonly #byPool = new Map<string, Lru<Tombstone>>();

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  put(id: string, stone: Tombstone): void {
    this.remove(id);
    const pool = stone.of?.pool ?? '';
    let stones = this.#byPool.get(pool);
    if (stones === undefined) {
      stones = new Lru(this.#limit);
      this.#byPool.set(pool, stones);
    }
    stones.set(id, stone);
  }

  get(id: string): Tombstone | undefined {
    for (const stones of this.#byPool.values()) {
      const stone = stones.get(id);
      if (stone !== undefined) return stone;
    }
    return undefined;
  }

  remove(id: string): void {
    for (const stones of this.#byPool.values()) stones.delete(id);
  }
}
