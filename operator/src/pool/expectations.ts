import type { Clock } from '@replpool/kube';

/** What was not seen after so long never came; the next look at the API server decides. */
const FORGOTTEN_MS = 300_000;

interface Expected {
  readonly since: number;
  readonly revision: string;
}

/**
 * What the operator did and its watch has not shown yet: a pod that was made must not be made again because the store is behind, and one that
 * was deleted must not be counted on.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #created = new Map<string, Map<string, Expected>>();
  readonly #deleted = new Map<string, Map<string, Expected>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  created(pool: string, uid: string, revision: string): void {
    put(this.#created, pool, uid, { since: this.#clock.now(), revision });
  }

  deleted(pool: string, uid: string): void {
    put(this.#deleted, pool, uid, { since: this.#clock.now(), revision: '' });
  }

  /** @param seen the uids that the store has now */
  unseen(
    pool: string,
    seen: ReadonlySet<string>,
  ): {
    readonly created: readonly { readonly uid: string; readonly revision: string }[];
    readonly deleted: ReadonlySet<string>;
  } {
    const created = this.#still(this.#created, pool, (uid) => !seen.has(uid));
    const deleted = this.#still(this.#deleted, pool, (uid) => seen.has(uid));
    return { created, deleted: new Set(deleted.map(({ uid }) => uid)) };
  }

  forget(pool: string): void {
    this.#created.delete(pool);
    this.#deleted.delete(pool);
  }

  #still(
    kind: Map<string, Map<string, Expected>>,
    pool: string,
    isExpected: (uid: string) => boolean,
  ): { uid: string; revision: string }[] {
    const of = kind.get(pool);
    if (!of) return [];
    for (const [uid, { since }] of of) {
      if (!isExpected(uid) || this.#clock.now() - since > FORGOTTEN_MS) of.delete(uid);
    }
    if (of.size === 0) kind.delete(pool);
    return [...of].map(([uid, { revision }]) => ({ uid, revision }));
  }
}

function put(kind: Map<string, Map<string, Expected>>, pool: string, uid: string, expected: Expected): void {
  const of = kind.get(pool) ?? new Map<string, Expected>();
  of.set(uid, expected);
  kind.set(pool, of);
}
