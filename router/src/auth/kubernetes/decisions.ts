import type { Clock } from '@replpool/kube';
import type { Awaitable } from '../../awaitable.ts';
import { Lru } from '../../lru.ts';
import type { Bulkhead } from './bulkhead.ts';
import type { Outage } from './outage.ts';

/** A decision holds for so long. */
const FRESH_MS = 10_000;
/** From this age on a yes is asked anew behind the caller's back, so that who calls all the time never waits. */
const REFRESH_MS = 5_000;
/** While the API server is gone a yes holds for so long, and no longer. */
const HELD_MS = 600_000;
const LIMIT = 10_000;

export interface Yes<T> {
  readonly value: T;
  /** On the clock of `Date.now()`: from then on it is no yes any more, such as the end of a token. */
  readonly expiresAt?: number | undefined;
}

/** Undefined is a no. Rejects where there is no answer. */
export type Question<T> = () => Promise<Yes<T> | undefined>;

interface Held<T> {
  readonly value: T;
  readonly decidedAt: number;
  readonly expiresAt: number;
}

/** What the API server decided lately. Of identical questions at the same time one is asked. */
export class Decisions<T> {
  readonly #clock: Clock;
  readonly #outage: Outage;
  readonly #newcomers: Bulkhead | undefined;
  readonly #yes = new Lru<Held<T>>(LIMIT);
  /** Apart, so that no flood of wrong tokens drives out the good ones. The values are when they were decided. */
  readonly #no = new Lru<number>(LIMIT);
  readonly #underWay = new Map<string, Promise<T | undefined>>();

  /** @param newcomers what questions go through that never had a yes, where anybody may ask them */
  constructor(clock: Clock, outage: Outage, newcomers?: Bulkhead) {
    this.#clock = clock;
    this.#outage = outage;
    this.#newcomers = newcomers;
  }

  /**
   * Undefined is a no.
   * @param key names the question; no secret
   * @throws ReplPoolError (by rejecting) AGENT_UNAVAILABLE where there is no answer, nor an earlier yes that holds; RATE_LIMITED where too many
   * newcomers ask
   */
  decide(key: string, ask: Question<T>): Awaitable<T | undefined> {
    const now = this.#clock.now();
    const yes = this.#usable(key, now);
    if (yes !== undefined) {
      const age = now - yes.decidedAt;
      if (age < REFRESH_MS) return yes.value;
      if (age < FRESH_MS || this.#outage.isOn) {
        // What it learns counts from the next call on; a failure is noted by the outage.
        this.#ask(key, ask, false).catch(() => undefined);
        return yes.value;
      }
    }
    const no = this.#no.get(key);
    if (no !== undefined && now - no < FRESH_MS) return undefined;
    const asked = this.#ask(key, ask, yes === undefined);
    return yes === undefined ? asked : asked.catch(() => yes.value);
  }

  /** A yes that may still hold, however old. */
  #usable(key: string, now: number): Held<T> | undefined {
    const yes = this.#yes.get(key);
    if (yes === undefined || (now - yes.decidedAt < HELD_MS && now < yes.expiresAt)) return yes;
    this.#yes.delete(key);
    return undefined;
  }

  #ask(key: string, ask: Question<T>, isNew: boolean): Promise<T | undefined> {
    const before = this.#underWay.get(key);
    if (before !== undefined) return before;
    const asked = this.#answerTo(key, ask, isNew).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }

  async #answerTo(key: string, ask: Question<T>, isNew: boolean): Promise<T | undefined> {
    using _turn = isNew ? await this.#newcomers?.turn() : undefined;
    // After the wait: those who waited for their turn while the API server went need not each find that out.
    if (!this.#outage.mayAsk()) throw this.#outage.error;
    const askedAt = this.#clock.now();
    let answer: Yes<T> | undefined;
    try {
      answer = await ask();
    } catch (error) {
      throw this.#outage.failed(error);
    }
    this.#outage.answered();
    this.#no.delete(key);
    this.#yes.delete(key);
    if (answer === undefined) {
      this.#no.set(key, askedAt);
      return undefined;
    }
    const { value, expiresAt } = answer;
    const leftMs = expiresAt === undefined ? Infinity : expiresAt - Date.now();
    this.#yes.set(key, { value, decidedAt: askedAt, expiresAt: askedAt + leftMs });
    return value;
  }
}
