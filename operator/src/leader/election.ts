import { type Clock, classify, pause, systemClock } from '@replpool/kube';
import type { Logger } from 'pino';
import { type LeaseRecord, moveOf, type Observation, observe } from './candidacy.ts';
import type { LeaseContent, LeaseStore } from './lease.ts';

export interface ElectionTimes {
  /** How long others leave an unchanged Lease alone. */
  readonly leaseMs: number;
  /** How long after its last renewal a leader leads. Less than `leaseMs`, by what clocks may differ in speed. */
  readonly renewMs: number;
  readonly retryMs: number;
}

/** client-go's, and the design's (section 9). */
export const ELECTION_TIMES: ElectionTimes = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };
/** client-go's JitterFactor for those who wait. */
const JITTER = 1.2;

export interface ElectionOptions {
  readonly store: LeaseStore;
  /** Unique to this process: a restarted container must not take its predecessor's Lease for its own. */
  readonly me: string;
  readonly log: Logger;
  readonly times?: ElectionTimes;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The reason of the signal that ends the work of a leader that could not renew, and why a write that came too late was not sent. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
}

/** Why `lead` ended: `stopped` by the caller's signal (or never led), `lost`, or `done` where its work returned by itself. */
export type Ended = 'stopped' | 'lost' | 'done';

/**
 * Leader election by one Lease, as client-go's: acquires it, then runs `work` and renews until the signal aborts, the Lease is lost or the
 * work ends. The work's signal aborts `renewMs` after the last successful renewal began, whatever hangs. The Lease is released only once
 * the work is over, and is renewed until then, so that a successor never begins beside it.
 */
export class Election {
  readonly #store: LeaseStore;
  readonly #me: string;
  readonly #log: Logger;
  readonly #times: ElectionTimes;
  readonly #clock: Clock;
  readonly #random: () => number;
  #lease: LeaseRecord | undefined;
  #seen: Observation | undefined;
  #leadsUntil = Number.NEGATIVE_INFINITY;

  constructor({ store, me, log, times, clock, random }: ElectionOptions) {
    this.#store = store;
    this.#me = me;
    this.#log = log.child({ candidate: me });
    this.#times = times ?? ELECTION_TIMES;
    this.#clock = clock ?? systemClock;
    this.#random = random ?? Math.random;
    if (this.#times.renewMs >= this.#times.leaseMs) throw new RangeError('renewMs must be less than leaseMs');
  }

  /** By the clock, so it is true at no moment too many even where this process was frozen and its timers are late. */
  get leading(): boolean {
    return this.#clock.now() < this.#leadsUntil;
  }

  /** @throws what the work threw; the Lease is released then too */
  async lead(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<Ended> {
    while (!signal.aborted && !(await this.#attempt(signal))) {
      await pause(this.#clock, this.#times.retryMs * (1 + this.#random() * JITTER), signal);
    }
    if (signal.aborted) {
      await this.#release();
      return 'stopped';
    }
    this.#log.info('leads');
    const lost = new AbortController();
    const over = new AbortController();
    const both = AbortSignal.any([signal, lost.signal]);
    const renewing = this.#renew(lost, over.signal);
    try {
      await work(both);
    } catch (error) {
      // What aborted work throws is the abort.
      if (!both.aborted) throw error;
    } finally {
      over.abort();
      await renewing;
      await this.#release();
    }
    return lost.signal.aborted ? 'lost' : signal.aborted ? 'stopped' : 'done';
  }

  async #renew(lost: AbortController, over: AbortSignal): Promise<void> {
    using scope = new DisposableStack();
    let timer: Disposable | undefined;
    const watchTheClock = (): void => {
      timer = this.#clock.after(Math.max(0, this.#leadsUntil - this.#clock.now()), () => {
        if (this.leading) {
          watchTheClock();
          return;
        }
        this.#log.error('leadership lost: not renewed in time');
        lost.abort(new LeadershipLostError('not renewed in time'));
      });
    };
    watchTheClock();
    scope.defer(() => timer?.[Symbol.dispose]());
    const end = AbortSignal.any([over, lost.signal]);
    for (;;) {
      await pause(this.#clock, this.#times.retryMs, end);
      if (end.aborted) return;
      if (await this.#attempt(end)) continue;
      if (this.#lease !== undefined && this.#lease.holder !== this.#me && !end.aborted) {
        this.#leadsUntil = Number.NEGATIVE_INFINITY;
        this.#log.error({ holder: this.#lease.holder }, 'leadership lost: another holds the Lease');
        lost.abort(new LeadershipLostError(`${this.#lease.holder || 'nobody'} holds the Lease`));
        return;
      }
    }
  }

  /** One try to have or to keep the Lease. */
  async #attempt(outer: AbortSignal): Promise<boolean> {
    // One answer that never comes must cost neither the leadership nor, for those who wait, their turn.
    const late = new AbortController();
    using _deadline = this.#clock.after(this.#times.renewMs / 2, () => late.abort(new Error('no answer in time')));
    const signal = AbortSignal.any([outer, late.signal]);
    // Counted from before the request: others count from when its effect came to them, which is later.
    const begun = this.#clock.now();
    try {
      // A leader knows the Lease from its own last write; others, and one whose write failed, read it.
      if (!this.leading || this.#lease === undefined) await this.#read(signal);
      const lease = this.#lease;
      const move = moveOf(lease, this.#seen, this.#me, this.#clock.now());
      if (move === 'wait' || signal.aborted) return false;
      const content = this.#content(lease, move === 'renew');
      this.#lease =
        lease === undefined
          ? await this.#store.create(content, signal)
          : await this.#store.update(content, lease.resourceVersion, signal);
      this.#leadsUntil = begun + this.#times.renewMs;
      return this.leading;
    } catch (error) {
      this.#lease = undefined;
      if (!outer.aborted) this.#failed(error);
      // A conflict says that someone wrote it: who, is read at once rather than after a pause.
      if (classify(error) === 'Conflict' && !signal.aborted) await this.#read(signal).catch(() => {});
      return false;
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#lease = await this.#store.get(signal);
    this.#seen = this.#lease === undefined ? undefined : observe(this.#lease, this.#seen, this.#clock.now());
  }

  #content(lease: LeaseRecord | undefined, renews: boolean): LeaseContent {
    return {
      holder: this.#me,
      durationMs: this.#times.leaseMs,
      transitions: lease === undefined ? 0 : lease.transitions + (renews ? 0 : 1),
      acquireTime: renews ? lease?.acquireTime : undefined,
    };
  }

  #failed(error: unknown): void {
    const level = ['Conflict', 'AlreadyExists'].includes(classify(error)) ? 'debug' : 'warn';
    this.#log[level]({ err: error }, 'the Lease could not be written');
  }

  /** Only what is surely its own; what cannot be released expires. */
  async #release(): Promise<void> {
    if (!this.leading) return;
    const left = new AbortController();
    using _timer = this.#clock.after(this.#leadsUntil - this.#clock.now(), () => left.abort());
    this.#leadsUntil = Number.NEGATIVE_INFINITY;
    try {
      if (this.#lease === undefined) await this.#read(left.signal);
      const lease = this.#lease;
      if (lease?.holder !== this.#me) return;
      const content = { ...this.#content(lease, true), holder: '', durationMs: 1000 };
      await this.#store.update(content, lease.resourceVersion, left.signal);
      this.#log.info('released the Lease');
    } catch (error) {
      this.#log.warn({ err: error }, 'the Lease could not be released; it expires');
    }
  }
}
