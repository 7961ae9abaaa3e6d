import { type ApiClient, apply, type Clock, resources } from '@replpool/kube';
import type { EventRecorder } from '../events.ts';
import type { PoolObject } from './pool-object.ts';
import { isSameBesideDetails, isSameStatus, type PoolStatus } from './status.ts';
import { transitionsOf } from './transitions.ts';

/**
 * Counters of a busy pool never stand still, nor does what an agent may say of its templates; they are written so often at most, which with
 * `LOAD_MS` leaves them younger than 5 s.
 */
const DETAILS_MS = 3_000;

interface Written {
  readonly status: PoolStatus;
  readonly at: number;
  /** The version of the pool that the status was made from: while the store has that one, the write has not come to it. */
  readonly from: string;
}

/** Writes the statuses of pools, no more often than they say something new, and records their transitions as events. */
export class StatusReports {
  readonly #client: ApiClient;
  readonly #events: EventRecorder;
  readonly #clock: Clock;
  readonly #written = new Map<string, Written>();

  constructor({ client, events, clock }: { client: ApiClient; events: EventRecorder; clock: Clock }) {
    this.#client = client;
    this.#events = events;
    this.#clock = clock;
  }

  /**
   * @param make the status, from the one before
   * @returns in how many milliseconds to come again with what is held back; undefined where nothing is
   */
  async report(
    key: string,
    pool: PoolObject,
    make: (before: PoolStatus) => PoolStatus,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const last = this.#written.get(key);
    const { resourceVersion, name, namespace, uid } = pool.metadata;
    const before = last?.from === resourceVersion ? last.status : pool.status;
    const status = make(before);
    if (isSameStatus(before, status)) return undefined;
    const now = this.#clock.now();
    const heldMs = last === undefined ? 0 : last.at + DETAILS_MS - now;
    if (heldMs > 0 && isSameBesideDetails(before, status)) return heldMs;
    // The uid: a pool of this name that was made meanwhile is not told of this one's pods.
    const metadata = { name, uid, ...(namespace !== undefined && { namespace }) };
    await apply(this.#client, resources.replPools, { metadata, status }, { subresource: 'status', signal });
    this.#written.set(key, { status, at: now, from: resourceVersion });
    const { conditions = [] } = before;
    for (const each of transitionsOf(conditions, status.conditions ?? [])) this.#events.record(pool, each);
    return undefined;
  }

  forget(key: string): void {
    this.#written.delete(key);
  }
}
