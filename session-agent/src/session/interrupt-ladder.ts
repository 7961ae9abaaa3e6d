import type { Warning, WarningCode } from '@replpool/protocol';

/** The worker whose code is to stop, and who hears of each step. */
export interface LadderSteps {
  /** Sends the interrupt. */
  ask(): void;
  /** Helps the interrupt to be heard, where code keeps the worker's interpreter. */
  wake(): void;
  /** Where the worker's threads stand; may take for ever. */
  stacks(): Promise<string>;
  /** Ends the worker. */
  kill(): void;
  warn(warning: Warning): void;
}

/** The launcher answers sooner; the kill does not depend on it. */
const STACKS_MS = 3000;
/** Most interrupts have had their effect by then. */
const WAKE_MS = 300;

/**
 * How a running execution is made to stop: it is asked; once the grace is over it is seen where its threads stand, and its worker is killed.
 * Each step is a warning.
 */
export class InterruptLadder implements Disposable {
  readonly #graceSeconds: number;
  readonly #steps: LadderSteps;
  /** Of the next step. */
  #timer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;
  #killed = false;
  #ended = false;

  constructor(graceSeconds: number, steps: LadderSteps) {
    this.#graceSeconds = graceSeconds;
    this.#steps = steps;
  }

  /** Whether the last step was taken. */
  get killed(): boolean {
    return this.#killed;
  }

  /**
   * Asks. A repeated interrupt asks again; it neither moves the end of the grace nor is a step.
   * @param why stands in the warning: "a client interrupted it"
   */
  climb(why: string): void {
    if (this.#timer === undefined) {
      this.#warn('INTERRUPT_SENT', `the code was asked to stop: ${why}`);
      this.#timer = setTimeout(() => this.#see(), this.#graceSeconds * 1000);
      this.#wake = setInterval(() => this.#steps.wake(), WAKE_MS);
    }
    this.ask();
  }

  /** Asks once more. */
  ask(): void {
    this.#steps.ask();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearInterval(this.#wake);
  }

  #see(): void {
    clearInterval(this.#wake);
    this.#timer = setTimeout(() => this.#kill(''), STACKS_MS);
    this.#steps.stacks().then(
      (stacks) => this.#kill(stacks),
      () => this.#kill(''),
    );
  }

  #kill(stacks: string): void {
    // The code may have stopped meanwhile, by itself or with its worker.
    if (this.#ended || this.#killed) return;
    clearTimeout(this.#timer);
    const where = stacks === '' ? 'where it stood is not known' : `it stood here:\n\n${stacks}`;
    this.#warn('INTERRUPT_IGNORED', `the code did not stop within ${this.#graceSeconds} s; ${where}`);
    this.#killed = true;
    this.#warn('INTERRUPT_KILLED', 'the worker of the code that did not stop is killed');
    this.#steps.kill();
  }

  #warn(code: WarningCode, message: string): void {
    this.#steps.warn({ code, message });
  }
}
