import type { FromWorkerFrame, RequestId } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';
import type { ExecutionRun, InputAnswer } from './execution-run.ts';
import type { ExecutionWatch } from './execution-watch.ts';
import { PendingInputs } from './pending-inputs.ts';

export interface ExecutionInputOptions {
  readonly log: EventLog;
  /** Tells the worker. */
  reply(request: RequestId, answer: InputAnswer): void;
  /** Of the running execution, whose time stands still while it waits. */
  watch(): ExecutionWatch | undefined;
}

/** `input()` of executions: `stdin` of the request answers it where there is one, else a client does. */
export class ExecutionInput {
  readonly #options: ExecutionInputOptions;
  readonly #pending: PendingInputs;

  constructor(options: ExecutionInputOptions) {
    this.#options = options;
    this.#pending = new PendingInputs(options.log);
  }

  /** @returns false where the worker asks for more than any can: it is broken */
  request(run: ExecutionRun | undefined, frame: Extract<FromWorkerFrame, { type: 'input_request' }>): boolean {
    const { reply, watch } = this.#options;
    if (run?.stdin && frame.execution === run.id) {
      reply(frame.request, run.stdin.next().value ?? { eof: true });
      return true;
    }
    if (frame.execution === undefined) {
      // Nobody could name what it waits for: a thread that outlived its execution asks when nothing runs.
      reply(frame.request, { eof: true });
      return true;
    }
    if (!this.#pending.add(frame)) return false;
    watch()?.hold(frame.main);
    return true;
  }

  /**
   * Answers the oldest call of an execution.
   * @throws ReplPoolError NO_INPUT_PENDING
   */
  answer(execution: string, answer: { value: string } | { eof: true }): void {
    this.#options.reply(this.#pending.take(execution, 'eof' in answer ? 'eof' : 'answered'), answer);
    this.#resume();
  }

  /** The call gave up by itself. */
  cancel(request: RequestId): void {
    this.#pending.cancel(request);
    this.#resume();
  }

  /** The worker is gone. */
  clear(): void {
    this.#pending.clear();
  }

  #resume(): void {
    const watch = this.#options.watch();
    watch?.resume(this.#pending.waitingOf(watch.execution));
  }
}
