import { type EventOf, type FromWorkerFrame, ReplPoolError, type RequestId } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';

type InputRequestFrame = Extract<FromWorkerFrame, { type: 'input_request' }>;
type Reason = NonNullable<EventOf<'input_done'>['reason']>;

interface PendingInput {
  readonly request: RequestId;
  readonly execution: string | undefined;
  readonly main: boolean;
}

/** A worker has as many threads as its session may have processes; one that asks without end would fill the agent. */
const MOST = 1000;

/** The calls of `input()` that wait for an answer, oldest first; threads of one execution may have several. */
export class PendingInputs {
  readonly #log: EventLog;
  readonly #waiting = new Map<RequestId, PendingInput>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Whether threads of an execution wait, and whether its code itself does; those of one before do not hold it up. */
  waitingOf(execution: string | undefined): { threads: boolean; code: boolean } {
    const waiting = [...this.#waiting.values()].filter((each) => each.execution === execution);
    return { threads: waiting.some((each) => !each.main), code: waiting.some((each) => each.main) };
  }

  /** @returns false where there are too many, or one of this number: the worker is broken */
  add(frame: InputRequestFrame): boolean {
    const { request, execution, main, prompt, password } = frame;
    if (this.#waiting.size >= MOST || this.#waiting.has(request)) return false;
    this.#waiting.set(request, { request, execution, main });
    this.#log.append({ type: 'input_request', ...(execution !== undefined && { execution }), prompt, password });
    return true;
  }

  /**
   * Takes the oldest call of an execution for whoever answers it.
   * @param reason how it is answered
   * @throws ReplPoolError NO_INPUT_PENDING
   */
  take(execution: string, reason: 'answered' | 'eof'): RequestId {
    for (const pending of this.#waiting.values()) {
      if (pending.execution !== execution) continue;
      this.#done(pending, reason);
      return pending.request;
    }
    throw new ReplPoolError('NO_INPUT_PENDING', 'no input() waits for an answer', {
      details: { execution },
    });
  }

  /** The call gave up by itself: it was interrupted. */
  cancel(request: RequestId): void {
    const pending = this.#waiting.get(request);
    if (pending) this.#done(pending, 'cancelled');
  }

  /** Their worker is gone. */
  clear(): void {
    for (const pending of this.#waiting.values()) this.#done(pending, 'cancelled');
  }

  #done(pending: PendingInput, reason: Reason): void {
    this.#waiting.delete(pending.request);
    const { execution } = pending;
    this.#log.append({ type: 'input_done', ...(execution !== undefined && { execution }), reason });
  }
}
