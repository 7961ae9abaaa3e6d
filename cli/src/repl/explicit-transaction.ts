import type { Transaction, TransactionRequest } from '@replpool/protocol';

/** The transaction that the user began. The session's begins with the first execution that follows, and may end by itself. */
export class ExplicitTransaction {
  #isBegun = false;
  #id: string | undefined;
  #isEnding = false;

  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Undefined as long as nothing has run in it. */
  get id(): string | undefined {
    return this.#id;
  }

  /** What an execution is sent with. */
  get request(): { transaction?: TransactionRequest } {
    return this.#isBegun ? { transaction: { policy: 'explicit' } } : {};
  }

  begin(): void {
    this.#isBegun = true;
  }

  end(): void {
    this.#isBegun = false;
    this.#id = undefined;
  }

  /** Has it ended by what the user asks for, which is no news then. */
  async endBy<T>(asked: () => Promise<T>): Promise<T> {
    this.#isEnding = true;
    try {
      const answer = await asked();
      this.end();
      return answer;
    } finally {
      this.#isEnding = false;
    }
  }

  /**
   * Takes notice of what a transaction is now.
   * @param isOurs whether it is that of an execution of this prompt
   * @returns whether ours has ended by that, unasked
   */
  heard({ id, policy, outcome }: Transaction, isOurs: boolean): boolean {
    if (!this.#isBegun || policy !== 'explicit') return false;
    if (outcome === 'open') {
      this.#id = id;
      return false;
    }
    const isThis = id === this.#id || (isOurs && this.#id === undefined);
    if (isThis) this.end();
    return isThis && !this.#isEnding;
  }
}
