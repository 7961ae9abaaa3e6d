import { type FromWorkerFrame, ReplPoolError } from '@replpool/protocol';
import type { CgroupUsage } from '../cgroup/cgroup.ts';
import type { ExitStatus } from '../worker/exit.ts';
import type { Frame } from '../worker/link.ts';
import type { OutputStream, Worker } from '../worker/worker.ts';
import { type OpenRequest, WorkerRequests } from './worker-requests.ts';

/** What a session hears of its worker, from its opening on. */
export interface SessionWorkerEvents {
  frame(worker: SessionWorker, frame: FromWorkerFrame): void;
  output(worker: SessionWorker, stream: OutputStream, text: string): void;
  exited(worker: SessionWorker, status: ExitStatus, protocolError: Error | undefined): void;
}

/** A worker that was opened for one session, and the questions that it was asked. */
export class SessionWorker {
  readonly #worker: Worker;
  readonly #requests: WorkerRequests;

  private constructor(worker: Worker, requests: WorkerRequests) {
    this.#worker = worker;
    this.#requests = requests;
  }

  /**
   * Makes a fork the session's worker; ends it where that fails.
   * @throws ReplPoolError WORKER_FAILED, AGENT_TIMEOUT
   */
  static async open(worker: Worker, session: OpenRequest, events: SessionWorkerEvents): Promise<SessionWorker> {
    const requests = new WorkerRequests((frame) => worker.send(frame));
    const opened = new SessionWorker(worker, requests);
    worker.attach({
      frame: (frame) => {
        if (frame.type === 'opened' || frame.type === 'reply' || frame.type === 'problem') requests.answer(frame);
        else events.frame(opened, frame);
      },
      output: (stream, text) => events.output(opened, stream, text),
      exited: (status, protocolError) => {
        opened.release();
        events.exited(opened, status, protocolError);
      },
    });
    try {
      await requests.open(session);
      // It may have died in the same turn in which it answered.
      if (!worker.alive) throw new ReplPoolError('WORKER_FAILED', 'the worker died as soon as it was opened');
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return opened;
  }

  send(frame: Frame): void {
    this.#worker.send(frame);
  }

  /** @throws ReplPoolError with the worker's problem, WORKER_FAILED where it dies, AGENT_TIMEOUT where it does not answer */
  ask(frame: Frame): Promise<unknown> {
    return this.#requests.ask(frame);
  }

  /** What it and all that it started use; empty without a cgroup. */
  usage(): Promise<CgroupUsage> {
    return this.#worker.usage();
  }

  /** The session has no more use for it: what it was asked is answered by WORKER_FAILED. */
  release(): void {
    this.#requests.fail(new ReplPoolError('WORKER_FAILED', 'the worker ended before it answered'));
  }

  /** Has it read what it was sent, where code that keeps its interpreter can be brought to let it. */
  wake(): void {
    this.#worker.wake();
  }

  /** Where its threads stand; empty where that is not to be had. */
  stacks(): Promise<string> {
    return this.#worker.stacks();
  }

  /** Ends the process and all that it started; resolves when nothing of it is left. */
  kill(): Promise<void> {
    return this.#worker.kill();
  }
}
