/** How a running execution is made to stop: it is asked, and once the grace is over its worker is killed. */
export class InterruptLadder implements Disposable {
  readonly #graceMs: number;
  readonly #ask: () => void;
  readonly #kill: () => void;
  #grace: NodeJS.Timeout | undefined;
  #killed = false;

  /**
   * @param ask sends the interrupt
   * @param kill ends the worker; called once
   */
  constructor(options: { graceMs: number; ask: () => void; kill: () => void }) {
    this.#graceMs = options.graceMs;
    this.#ask = options.ask;
    this.#kill = options.kill;
  }

  /** Whether the last step was taken. */
  get killed(): boolean {
    return this.#killed;
  }

  /** Asks. A repeated interrupt asks again and does not move the end of the grace. */
  climb(): void {
    this.#ask();
    this.#grace ??= setTimeout(() => {
      this.#killed = true;
      this.#kill();
    }, this.#graceMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#grace);
  }
}
