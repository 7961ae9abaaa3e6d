/** Something beside an execution that waits in the queue until what came before it has run. */
export class Turn {
  readonly #act: () => Promise<void>;
  readonly #refuse: (why: Error) => void;

  private constructor(act: () => Promise<void>, refuse: (why: Error) => void) {
    this.#act = act;
    this.#refuse = refuse;
  }

  /** @returns the turn, and what comes of it */
  static of<T>(act: () => Promise<T>): { turn: Turn; done: Promise<T> } {
    const done = Promise.withResolvers<T>();
    done.promise.catch(() => undefined);
    const settle = async () => {
      try {
        done.resolve(await act());
      } catch (error) {
        done.reject(error);
      }
    };
    return { turn: new Turn(settle, done.reject), done: done.promise };
  }

  /** It has come; never rejects. */
  take(): Promise<void> {
    return this.#act();
  }

  /** It never comes. */
  cancel(why: Error): void {
    this.#refuse(why);
  }
}
