/** A timer that can stand still: time in a pending `input()` does not count. */
export class Deadline implements Disposable {
  readonly #onDue: () => void;
  #remainingMs: number;
  #startedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onDue: () => void) {
    this.#remainingMs = ms;
    this.#onDue = onDue;
  }

  run(): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(this.#onDue, this.#remainingMs);
  }

  hold(): void {
    if (this.#startedAt === undefined) return;
    this.#remainingMs = Math.max(0, this.#remainingMs - (performance.now() - this.#startedAt));
    this.#startedAt = undefined;
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#startedAt = undefined;
  }
}
