import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '@replpool/kube';
import type { Acquired, AgentEndpoint, AgentIsolation, AgentLinkMessage, TemplateFailure } from '@replpool/protocol';
import type { PodLoad } from '../pool/pod-view.ts';

/** What an agent said of itself beside its load; it holds while the agent is not heard. */
export interface AgentSaid {
  readonly acquired?: Acquired | undefined;
  readonly failures: readonly TemplateFailure[];
  readonly isolation?: AgentIsolation | undefined;
}

/**
 * What is known of one agent by its own words. Where they are old, or there are none, they are *awaited* for a while: who is about to choose
 * among agents waits for them. An agent that stays silent longer has no load, and one that says a word and hangs up, again and again, is awaited
 * no longer than that in sum, until it has spoken without a break for as long.
 */
export class HeardAgent implements Disposable {
  readonly endpoint: AgentEndpoint;
  readonly #awaitMs: number;
  readonly #clock: Clock;
  readonly #changed: () => void;
  /** Whether it is the agent of that pod who is heard: an address is given to another pod while the API server still tells of the one before. */
  #isIt = false;
  #load: PodLoad | undefined;
  #said: AgentSaid = { failures: [] };
  #waiting: Disposable | undefined;
  /** Nobody waits for it after this moment. */
  #awaitedUntil: number | undefined;
  /** Its first and its last word since it was unheard. */
  #soundSince = 0;
  #lastWord = 0;
  #isDisposed = false;

  /**
   * @param awaitMs how long its words are awaited
   * @param changed called when it says something else, when it is not heard any more, and when it is awaited no longer
   */
  constructor(endpoint: AgentEndpoint, awaitMs: number, clock: Clock, changed: () => void) {
    this.endpoint = endpoint;
    this.#awaitMs = awaitMs;
    this.#clock = clock;
    this.#changed = changed;
  }

  get load(): PodLoad | undefined {
    return this.#load;
  }

  get said(): AgentSaid {
    return this.#said;
  }

  /** Its load is unknown or old, and it may tell it in a moment. */
  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  /** What it said before is too old to choose by. */
  await(): void {
    if (this.#isDisposed || this.#waiting) return;
    const now = this.#clock.now();
    if (this.#lastWord - this.#soundSince > this.#awaitMs) this.#awaitedUntil = undefined;
    this.#awaitedUntil ??= now + this.#awaitMs;
    if (now >= this.#awaitedUntil) return;
    this.#waiting = this.#clock.after(this.#awaitedUntil - now, () => {
      this.#waiting = undefined;
      this.#changed();
    });
  }

  /** Until it told who it is, nothing counts. @returns false where it says that it is another pod */
  hear(message: AgentLinkMessage): boolean {
    if (this.#isDisposed) return true;
    if (this.#load !== undefined) this.#lastWord = this.#clock.now();
    if (message.type !== 'snapshot' && message.type !== 'capacity') return true;
    if (message.type === 'snapshot') {
      this.#isIt = message.pod === this.endpoint.pod && message.pool === this.endpoint.pool;
      if (!this.#isIt) this.unheard();
    }
    if (!this.#isIt) return message.type !== 'snapshot';
    const { capacity, draining, acquired, failures = [] } = message;
    const isolation = message.type === 'snapshot' ? message.isolation : this.#said.isolation;
    const load = { sessions: capacity.active, busy: capacity.busy, warm: capacity.warm, draining };
    this.#set(load, { acquired, failures, isolation });
    return true;
  }

  /** A connection to it failed or ended. */
  unheard(): void {
    this.#isIt = false;
    // Only the first failure: one that stays away is awaited no longer for being tried again.
    if (this.#load === undefined || this.#isDisposed) return;
    this.#load = undefined;
    this.await();
    this.#changed();
  }

  /** It is not heard any more, whoever still holds it. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = undefined;
  }

  #set(load: PodLoad, said: AgentSaid): void {
    const isNews = this.isAwaited || !isDeepStrictEqual([load, said], [this.#load, this.#said]);
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = undefined;
    if (this.#load === undefined) {
      this.#soundSince = this.#clock.now();
      this.#lastWord = this.#soundSince;
    }
    this.#load = load;
    this.#said = said;
    if (isNews) this.#changed();
  }
}
