import type { ReplPoolError } from '@replpool/protocol';

/** Something beside an execution that waits in the queue until what came before it has run. */
export class Turn<T> {
  readonly #act: () => Promise<T>;
  readonly #done = Promise.withResolvers<T>();

  constructor(act: () => Promise<T>) {
    this.#act = act;
    this.#done.promise.catch(() => undefined);
  }

  get done(): Promise<T> {
    return this.#done.promise;
  }

  /** Its turn has come; never rejects. */
  async take(): Promise<void> {
    try {
      this.#done.resolve(await this.#act());
    } catch (error) {
      this.#done.reject(error);
    }
  }

  /** Its turn never comes. */
  cancel(why: ReplPoolError): void {
    this.#done.reject(why);
  }
}
