import type { Clock } from '@replpool/kube';

/** What was not seen after so long never came; the next look at the API server decides. */
const FORGOTTEN_MS = 300_000;

/** A pod as the store has it. */
export interface SeenPod {
  readonly uid: string;
  readonly name: string;
  readonly draining: boolean;
}

export interface Unseen {
  readonly created: readonly { readonly uid: string; readonly revision: string }[];
  readonly deleted: ReadonlySet<string>;
  /** Until when, in milliseconds since the epoch, by uid. */
  readonly drained: ReadonlyMap<string, number>;
}

/** What was done with the pods of one pool. */
class Done {
  readonly created = new Map<string, { since: number; revision: string }>();
  readonly deleted = new Map<string, { since: number }>();
  readonly drained = new Map<string, { since: number; until: number }>();
  /** Names of pods whose creation was not answered. */
  readonly unsure = new Map<string, { since: number }>();
}

/**
 * What the operator did and its watch has not shown yet: a pod that was made must not be made again because the store is behind, one that was
 * deleted must not be counted on, and for one that drains no second one may be chosen.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #pools = new Map<string, Done>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  created(pool: string, uid: string, revision: string): void {
    this.#of(pool).created.set(uid, { since: this.#clock.now(), revision });
  }

  deleted(pool: string, uid: string): void {
    this.#of(pool).deleted.set(uid, { since: this.#clock.now() });
  }

  /** @param until when its drain ends, in milliseconds since the epoch */
  drained(pool: string, uid: string, until: number): void {
    this.#of(pool).drained.set(uid, { since: this.#clock.now(), until });
  }

  /** The store had it and has it no more. */
  gone(pool: string, uid: string): void {
    const done = this.#pools.get(pool);
    for (const each of [done?.created, done?.deleted, done?.drained]) each?.delete(uid);
  }

  /** Nobody answered whether a pod of this name was made. */
  unsure(pool: string, name: string): void {
    this.#of(pool).unsure.set(name, { since: this.#clock.now() });
  }

  /** A name to try again first: the same name is not made twice. */
  takeUnsure(pool: string): string | undefined {
    const unsure = this.#pools.get(pool)?.unsure;
    const [name] = unsure?.keys() ?? [];
    if (name !== undefined) unsure?.delete(name);
    return name;
  }

  /** @param pods those that the store has now */
  unseen(pool: string, pods: readonly SeenPod[]): Unseen {
    const done = this.#pools.get(pool);
    if (!done) return { created: [], deleted: new Set(), drained: new Map() };
    const seen = new Map(pods.map((pod) => [pod.uid, pod]));
    const names = new Set(pods.map(({ name }) => name));
    this.#keep(done.created, (uid) => !seen.has(uid));
    this.#keep(done.deleted, (uid) => seen.has(uid));
    this.#keep(done.drained, (uid) => seen.get(uid)?.draining === false);
    this.#keep(done.unsure, (name) => !names.has(name));
    return {
      created: [...done.created].map(([uid, { revision }]) => ({ uid, revision })),
      deleted: new Set(done.deleted.keys()),
      drained: new Map([...done.drained].map(([uid, { until }]) => [uid, until])),
    };
  }

  forget(pool: string): void {
    this.#pools.delete(pool);
  }

  #of(pool: string): Done {
    const done = this.#pools.get(pool) ?? new Done();
    this.#pools.set(pool, done);
    return done;
  }

  #keep(expected: Map<string, { readonly since: number }>, isUnseen: (key: string) => boolean): void {
    for (const [key, { since }] of expected) {
      if (!isUnseen(key) || this.#clock.now() - since > FORGOTTEN_MS) expected.delete(key);
    }
  }
}
