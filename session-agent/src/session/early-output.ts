import type { OutputStream } from '../worker/outputs.ts';

/**
 * Output that was read while an execution was on its way to the worker. Output and frames come by different pipes: what the code writes
 * first may be read before its `started`, which was written before it and is there by the end of the next turn of the event loop. Until
 * then it waits; what stays without a `started` is of an earlier execution's threads or children. No timers.
 */
export class EarlyOutput {
  readonly #pass: (stream: OutputStream, text: string) => void;
  #held: { stream: OutputStream; text: string }[] = [];

  constructor(pass: (stream: OutputStream, text: string) => void) {
    this.#pass = pass;
  }

  hold(stream: OutputStream, text: string): void {
    this.#held.push({ stream, text });
    if (this.#held.length > 1) return;
    const [first] = this.#held;
    setImmediate(() =>
      setImmediate(() => {
        if (this.#held[0] === first) this.release();
      }),
    );
  }

  /** Passes on, in order, what waits. */
  release(): void {
    for (const { stream, text } of this.#held.splice(0)) this.#pass(stream, text);
  }
}
