import type { Limits } from '@replpool/protocol';
import { Deadline } from './deadline.ts';
import type { ExecutionRun } from './execution-run.ts';
import { InterruptLadder, type LadderSteps } from './interrupt-ladder.ts';

export interface WatchOptions {
  readonly limits: Limits;
  readonly interruptGraceSeconds: number;
}

/** What is done to code that runs for too long, or is not wanted any more. */
export interface WatchSteps extends LadderSteps {
  /** One of its limits of time was over. */
  late(): void;
}

/**
 * What holds the running execution to its time, and makes it stop. It begins with the dispatch: a worker that never starts the code does not hold
 * its session up for ever.
 */
export class ExecutionWatch implements Disposable {
  readonly #run: ExecutionRun;
  readonly #steps: WatchSteps;
  readonly #ladder: InterruptLadder;
  readonly #deadline: Deadline;
  /** `maxExecutionSeconds`: where only threads wait for input the code may go on, and does not go on for ever. */
  readonly #ceiling: Deadline;

  constructor(run: ExecutionRun, { limits, interruptGraceSeconds }: WatchOptions, steps: WatchSteps) {
    this.#run = run;
    this.#steps = steps;
    this.#ladder = new InterruptLadder(interruptGraceSeconds, steps);
    this.#deadline = this.#within(run.request.timeoutSeconds ?? limits.executionSeconds);
    this.#ceiling = this.#within(limits.maxExecutionSeconds);
    this.resume({ threads: false, code: false });
  }

  get execution(): string {
    return this.#run.id;
  }

  /** Whether the worker was killed, for nothing less helped. */
  get killed(): boolean {
    return this.#ladder.killed;
  }

  /** A client does not want it any more. */
  interrupt(): void {
    this.#run.ending ??= 'interrupt';
    this.#ladder.climb('a client interrupted it');
  }

  /** The code runs from now on: an interrupt that came between dispatch and start was dropped by the worker. */
  started(): void {
    if (this.#run.ending) this.#ladder.ask();
  }

  /** Time in a pending `input()` does not count. @param isCode whether the code itself waits, not a thread of it */
  hold(isCode: boolean): void {
    this.#deadline.hold();
    if (isCode) this.#ceiling.hold();
  }

  /** @param waiting who still waits for input */
  resume({ threads, code }: { threads: boolean; code: boolean }): void {
    if (!threads && !code) this.#deadline.run();
    if (!code) this.#ceiling.run();
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
    this.#ceiling[Symbol.dispose]();
    this.#ladder[Symbol.dispose]();
  }

  #within(seconds: number): Deadline {
    return new Deadline(seconds * 1000, () => {
      this.#run.ending = 'timeout';
      this.#steps.late();
      this.#ladder.climb(`its time limit of ${seconds} s was over`);
    });
  }
}
