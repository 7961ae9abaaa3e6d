import type { Clock } from '../clock.ts';

/**
 * How long one call may take. It runs from the moment that the call has its connection: to wait for one's turn says nothing about the server,
 * and who is asked by many must not seem to be gone.
 */
export class Deadline implements Disposable {
  /** Aborts when the time is over, or by the caller's own. */
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #over = new AbortController();
  #timer: Disposable | undefined;

  constructor(clock: Clock, ms: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#ms = ms;
    this.signal = signal === undefined ? this.#over.signal : AbortSignal.any([this.#over.signal, signal]);
  }

  /** Again, it changes nothing: what is sent a second time has the time of the first. */
  begin(): void {
    this.#timer ??= this.#clock.after(this.#ms, () => this.#over.abort(new Error(`no answer in ${this.#ms} ms`)));
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
