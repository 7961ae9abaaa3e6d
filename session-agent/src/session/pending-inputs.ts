import { type EventOf, type FromWorkerFrame, ReplPoolError, type RequestId } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';

type InputRequestFrame = Extract<FromWorkerFrame, { type: 'input_request' }>;
type Reason = NonNullable<EventOf<'input_done'>['reason']>;

interface PendingInput {
  readonly request: RequestId;
  readonly execution: string | undefined;
  readonly main: boolean;
}

/** The calls of `input()` that wait for an answer, oldest first; threads of one execution may have several. */
export class PendingInputs {
  readonly #log: EventLog;
  #waiting: PendingInput[] = [];

  constructor(log: EventLog) {
    this.#log = log;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether the code itself waits, and not only a thread beside it. */
  get holdsCode(): boolean {
    return this.#waiting.some((each) => each.main);
  }

  add(frame: InputRequestFrame): void {
    const { request, execution, main, prompt, password } = frame;
    this.#waiting.push({ request, execution, main });
    this.#log.append({ type: 'input_request', ...(execution !== undefined && { execution }), prompt, password });
  }

  /**
   * Takes the oldest call of an execution for whoever answers it.
   * @param reason how it is answered
   * @throws ReplPoolError NO_INPUT_PENDING
   */
  take(execution: string, reason: 'answered' | 'eof'): RequestId {
    const pending = this.#waiting.find((each) => each.execution === execution);
    if (pending) {
      this.#done(pending, reason);
      return pending.request;
    }
    throw new ReplPoolError('NO_INPUT_PENDING', 'no input() waits for an answer', {
      details: { execution },
    });
  }

  /** The call gave up by itself: it was interrupted. */
  cancel(request: RequestId): void {
    const pending = this.#waiting.find((each) => each.request === request);
    if (pending) this.#done(pending, 'cancelled');
  }

  /** Their worker is gone. */
  clear(): void {
    for (const pending of [...this.#waiting]) this.#done(pending, 'cancelled');
  }

  #done(pending: PendingInput, reason: Reason): void {
    this.#waiting = this.#waiting.filter((each) => each !== pending);
    const { execution } = pending;
    this.#log.append({ type: 'input_done', ...(execution !== undefined && { execution }), reason });
  }
}
