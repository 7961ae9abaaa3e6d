import { ReplPoolError } from '@replpool/protocol';

/** So many at once, so many more that wait for their turn, and no more than that: what is behind it is not filled by one kind of question. */
export class Bulkhead {
  readonly #waitingLimit: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number, waitingLimit: number) {
    this.#free = atOnce;
    this.#waitingLimit = waitingLimit;
  }

  /**
   * @returns the turn, which ends as it is disposed
   * @throws ReplPoolError RATE_LIMITED where too many wait
   */
  async turn(): Promise<Disposable> {
    if (this.#free > 0) this.#free -= 1;
    else if (this.#waiting.length < this.#waitingLimit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      throw new ReplPoolError('RATE_LIMITED', 'too many tokens that are not known yet are asked about at once', {
        why: 'Each of them is a question to the API server; tokens that are known go on without one.',
      });
    }
    return { [Symbol.dispose]: () => this.#next() };
  }

  /** A turn that ends is the next one's. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
