export interface MessageRate {
  /** Messages of up to 1,024 characters; a longer one counts as many. */
  readonly perSecond: number;
  /** Those that may come at once. */
  readonly burst: number;
}

const UNIT = 1024;

/** How much a sender may say: a bucket that fills at a steady rate. */
export class MessageBudget {
  readonly #rate: MessageRate;
  #left: number;
  #filledAt: number;

  /** @param now in milliseconds, on the clock that `take` is told of too */
  constructor(rate: MessageRate, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#filledAt = now;
  }

  /** Takes a message of this length if there is room for it. */
  take(length: number, now: number): boolean {
    const { perSecond, burst } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    const cost = Math.max(1, Math.ceil(length / UNIT));
    if (this.#left < cost) return false;
    this.#left -= cost;
    return true;
  }
}
