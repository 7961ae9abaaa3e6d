import { randomUUID } from 'node:crypto';
import { type FromWorkerFrame, ReplPoolError, type RequestId } from '@replpool/protocol';
import type { SessionVariables } from '../environment/environment.ts';
import type { Frame } from '../worker/link.ts';

/** Completions and variables that take longer than this are given up; the worker may be deep in C code. */
const ANSWER_DEADLINE_MS = 10_000;

/** Questions that whoever has the state can answer. */
const OF_THE_STATE: ReadonlySet<string> = new Set(['complete', 'inspect', 'variables']);

type Answer = Extract<FromWorkerFrame, { type: 'opened' | 'reply' | 'problem' }>;

/** What a fork is told when it becomes a session's worker. */
export interface OpenRequest {
  readonly session: string;
  /** The working folder. */
  readonly cwd: string;
  readonly env: SessionVariables;
  /** The limit of open files. */
  readonly fileDescriptors: number;
}

interface Waiting {
  readonly frame: Frame;
  /** Who has it by now. */
  holder: WorkerRequests;
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** Questions to one worker and their answers, matched by request id. */
export class WorkerRequests {
  readonly #send: (frame: Frame) => void;
  readonly #waiting = new Map<RequestId, Waiting>();
  static readonly #OPEN = 'open';

  constructor(send: (frame: Frame) => void) {
    this.#send = send;
  }

  /** Turns a fork into a session. @throws ReplPoolError WORKER_FAILED */
  async open(session: OpenRequest): Promise<void> {
    const frame = { type: 'open', ...session };
    const answer = this.#wait(WorkerRequests.#OPEN, frame, ANSWER_DEADLINE_MS);
    this.#send(frame);
    await answer;
  }

  /** @throws ReplPoolError with the worker's problem, WORKER_FAILED where it dies, AGENT_TIMEOUT where it does not answer */
  async ask(frame: Frame, deadlineMs = ANSWER_DEADLINE_MS): Promise<unknown> {
    const request = randomUUID();
    const question = { ...frame, request };
    const answer = this.#wait(request, question, deadlineMs);
    this.#send(question);
    return await answer;
  }

  /** Asks another worker what this one has not answered. */
  moveTo(other: WorkerRequests): void {
    for (const [request, waiting] of this.#waiting) {
      waiting.holder = other;
      other.#waiting.set(request, waiting);
      other.#send(waiting.frame);
    }
    this.#waiting.clear();
  }

  answer(frame: Answer): void {
    const request = frame.type === 'opened' ? WorkerRequests.#OPEN : frame.request;
    const waiting = this.#waiting.get(request);
    if (!waiting) return;
    this.#waiting.delete(request);
    clearTimeout(waiting.timer);
    if (frame.type === 'reply') waiting.resolve(frame.value);
    else if (frame.type === 'problem') waiting.reject(new ReplPoolError(frame.code, frame.message));
    else if (frame.error)
      waiting.reject(
        new ReplPoolError('WORKER_FAILED', `the worker could not open the session: ${frame.error.message}`),
      );
    else waiting.resolve(undefined);
  }

  /** Ends every question that is still open, or those that only this worker can answer. */
  fail(error: Error, which: 'all' | 'its own' = 'all'): void {
    for (const [request, waiting] of this.#waiting) {
      if (which === 'its own' && OF_THE_STATE.has(waiting.frame.type)) continue;
      this.#waiting.delete(request);
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
  }

  #wait(request: RequestId, frame: Frame, deadlineMs: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      waiting.holder.#waiting.delete(request);
      reject(new ReplPoolError('AGENT_TIMEOUT', `the worker did not answer within ${deadlineMs / 1000} s`));
    }, deadlineMs);
    const waiting: Waiting = { frame, resolve, reject, timer, holder: this };
    this.#waiting.set(request, waiting);
    return promise;
  }
}
