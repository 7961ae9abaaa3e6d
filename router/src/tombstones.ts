export interface Tombstone {
  /** `deleted`, or a reason of SESSION_LOST. */
  readonly reason: string;
  readonly owner?: string | undefined;
}

/** Why sessions are no more, for the last `limit` of them; the one least recently asked for goes first. */
export class Tombstones {
  readonly #limit: number;
  readonly #stones = new Map<string, Tombstone>();

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#stones.size;
  }

  put(id: string, stone: Tombstone): void {
    this.#stones.delete(id);
    this.#stones.set(id, stone);
    if (this.#stones.size <= this.#limit) return;
    const oldest = this.#stones.keys().next();
    if (!oldest.done) this.#stones.delete(oldest.value);
  }

  get(id: string): Tombstone | undefined {
    const stone = this.#stones.get(id);
    if (stone !== undefined) this.put(id, stone);
    return stone;
  }

  remove(id: string): void {
    this.#stones.delete(id);
  }
}
