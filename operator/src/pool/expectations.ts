import type { Clock } from '../clock.ts';

/** What was not seen after so long never came; the next look at the API server decides. */
const FORGOTTEN_MS = 300_000;

/**
 * What the operator did and its watch has not shown yet: a pod that was made must not be made again because the store is behind, and one that
 * was deleted must not be counted on.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #created = new Map<string, Map<string, number>>();
  readonly #deleted = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  created(pool: string, uid: string): void {
    put(this.#created, pool, uid, this.#clock.now());
  }

  deleted(pool: string, uid: string): void {
    put(this.#deleted, pool, uid, this.#clock.now());
  }

  /** @param seen the uids that the store has now */
  unseen(
    pool: string,
    seen: ReadonlySet<string>,
  ): { readonly created: readonly string[]; readonly deleted: ReadonlySet<string> } {
    const created = this.#still(this.#created, pool, (uid) => !seen.has(uid));
    const deleted = this.#still(this.#deleted, pool, (uid) => seen.has(uid));
    return { created, deleted: new Set(deleted) };
  }

  forget(pool: string): void {
    this.#created.delete(pool);
    this.#deleted.delete(pool);
  }

  #still(kind: Map<string, Map<string, number>>, pool: string, isExpected: (uid: string) => boolean): string[] {
    const of = kind.get(pool);
    if (!of) return [];
    for (const [uid, since] of of) {
      if (!isExpected(uid) || this.#clock.now() - since > FORGOTTEN_MS) of.delete(uid);
    }
    if (of.size === 0) kind.delete(pool);
    return [...of.keys()];
  }
}

function put(kind: Map<string, Map<string, number>>, pool: string, uid: string, now: number): void {
  const of = kind.get(pool) ?? new Map<string, number>();
  of.set(uid, now);
  kind.set(pool, of);
}
