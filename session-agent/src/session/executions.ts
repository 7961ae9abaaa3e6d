import { randomUUID } from 'node:crypto';
import type {
  ExecuteRequest,
  Execution,
  ExecutionList,
  ExecutionListQuery,
  FromWorkerFrame,
  SessionEvent,
  Session as SessionResource,
  WorkerDeathReason,
  WorkerDied,
} from '@replpool/protocol';
import type { OutputStream } from '../worker/worker.ts';
import { refusal } from './admission.ts';
import type { EventLog } from './event-log.ts';
import { ExecutionHistory } from './execution-history.ts';
import { ExecutionInput } from './execution-input.ts';
import { ExecutionOutput } from './execution-output.ts';
import { ExecutionRun } from './execution-run.ts';
import { ExecutionWatch } from './execution-watch.ts';
import type { ExecutionsHost, ExecutionsOptions } from './executions-options.ts';
import { NamespaceNames } from './namespace-names.ts';
import type { SessionObserver } from './session-options.ts';
import { shortOutcome } from './short-outcome.ts';

/** The executions of one session: one runs, others wait first in, first out, and all are remembered by their id. */
export class Executions implements Disposable {
  readonly #options: ExecutionsOptions;
  readonly #host: ExecutionsHost;
  readonly #observer: SessionObserver;
  readonly #log: EventLog;
  readonly #history: ExecutionHistory;
  readonly #input: ExecutionInput;
  readonly #output: ExecutionOutput;
  readonly #names = new NamespaceNames();
  #queue: ExecutionRun[] = [];
  #current: ExecutionRun | undefined;
  #watch: ExecutionWatch | undefined;
  #count = 0;
  /** The worker broke the protocol. */
  #isBroken = false;
  #usage: SessionResource['usage'] = { cpuMs: 0, wallMs: 0, maxRssBytes: 0 };

  constructor(options: ExecutionsOptions, host: ExecutionsHost, observer: SessionObserver) {
    this.#options = options;
    this.#host = host;
    this.#observer = observer;
    this.#log = host.log;
    this.#history = new ExecutionHistory(options.session, options.outcomesFolder);
    this.#input = new ExecutionInput({
      log: host.log,
      reply: (request, answer) => host.worker?.send({ type: 'input_reply', request, ...answer }),
      watch: () => this.#watch,
    });
    const { outputBytes } = options.limits;
    this.#output = new ExecutionOutput({ log: host.log, observer, outputBytes, current: () => this.#current });
  }

  /** Executions of the present namespace that counted. */
  get count(): number {
    return this.#count;
  }

  /** The sum of all executions' times, and the highest memory of one. */
  get usage(): SessionResource['usage'] {
    return this.#usage;
  }

  /** Why we ended the worker, where we did. */
  get killedBy(): 'timeout' | 'interrupt' | 'crash' | undefined {
    if (this.#isBroken) return 'crash';
    if (!this.#watch?.killed) return undefined;
    return this.#current?.ending === 'timeout' ? 'timeout' : 'interrupt';
  }

  /**
   * Queues code, or joins the execution that has this id already.
   * @throws ReplPoolError EXECUTION_ID_REUSED, EPOCH_CHANGED, QUEUE_FULL, CIRCUIT_OPEN, INVALID_REQUEST, SESSION_NOT_FOUND, SESSION_LOST
   */
  submit(request: ExecuteRequest): { run: ExecutionRun } | { outcome: Execution } {
    const id = request.id ?? randomUUID();
    const known = this.#history.match(id, request);
    if (known) return known;
    this.#admit(request);
    const { session, limits } = this.#options;
    const { outputBytes } = limits;
    const run = new ExecutionRun({ id, session, request, firstSeq: this.#log.lastSeq, outputBytes });
    this.#history.accept(run);
    this.#queue.push(run);
    this.#host.touch();
    this.#log.append({ type: 'queued', execution: id });
    this.next();
    return { run };
  }

  /** Gives the oldest queued execution to the worker, where that is free. */
  next(): void {
    const { worker } = this.#host;
    if (!worker || this.#current) return;
    const run = this.#queue.shift();
    if (!run) return;
    this.#current = run;
    this.#host.setBusy(true);
    const { code, silent = false } = run.request;
    const executionCount = this.#count + (silent ? 0 : 1);
    run.executionCount = executionCount;
    const hasInput = run.stdin !== undefined;
    worker.send({ type: 'execute', execution: run.id, code, silent, executionCount, hasInput });
    this.#watch = this.#watchOf(run);
  }

  /** @throws ReplPoolError EXECUTION_NOT_FOUND */
  get(id: string): Execution {
    return this.#history.get(id);
  }

  /** Where an execution's events start. @throws ReplPoolError EXECUTION_NOT_FOUND */
  firstSeqOf(id: string): number {
    return this.#history.firstSeq(id);
  }

  /** The number of an execution's last event; undefined until it has ended. */
  lastSeqOf(id: string): number | undefined {
    return this.#history.lastSeq(id);
  }

  /** The `finished` event of an execution that has ended, as it was. */
  finishedEvent(outcome: Execution): SessionEvent {
    const { id, status, finishedAt } = outcome;
    const time = finishedAt ?? new Date().toISOString();
    return {
      seq: this.#history.lastSeq(id) ?? this.#log.lastSeq,
      time,
      type: 'finished',
      execution: id,
      status,
      outcome,
    };
  }

  /** @throws ReplPoolError INVALID_REQUEST */
  list(query: ExecutionListQuery): Promise<ExecutionList> {
    return this.#history.list(query);
  }

  /**
   * Answers the oldest pending `input()` of an execution.
   * @throws ReplPoolError NO_INPUT_PENDING
   */
  answerInput(execution: string, answer: { value: string } | { eof: true }): void {
    this.#input.answer(execution, answer);
    this.#host.touch();
  }

  /** Interrupts what runs; harmless where nothing does. */
  interrupt(execution?: string): void {
    const run = this.#current;
    if (!run || (execution !== undefined && run.id !== execution)) return;
    this.#watch?.interrupt();
  }

  /** Cancels a queued execution or interrupts a running one. @throws ReplPoolError EXECUTION_NOT_FOUND */
  cancel(id: string): Execution {
    const run = this.#queue.find((each) => each.id === id);
    if (run) {
      this.#queue = this.#queue.filter((each) => each !== run);
      this.#finish(run, 'cancelled');
    } else this.interrupt(id);
    return this.#history.get(id);
  }

  cancelQueued(): void {
    for (const run of this.#queue.splice(0)) this.#finish(run, 'cancelled');
  }

  /** The namespace is gone: what ran in it was killed, what waited for it is cancelled. */
  lose(reason: WorkerDeathReason, message: string): void {
    const run = this.#current;
    if (run) this.#killed(run, reason, message);
    this.cancelQueued();
    this.#input.clear();
    this.#isBroken = false;
  }

  /** A new namespace; says which names the old one had. */
  forgetNames(why: string): ReturnType<NamespaceNames['lose']> {
    this.#count = 0;
    return this.#names.lose(why);
  }

  receive(frame: FromWorkerFrame): void {
    const run = this.#current;
    if ('execution' in frame && frame.execution !== undefined && frame.execution !== run?.id) {
      // The worker is broken or an impostor, and only its own session pays.
      this.#broken(`the worker named execution ${frame.execution}, which does not run`);
      return;
    }
    switch (frame.type) {
      case 'started':
        if (run) this.#started(run);
        return;
      case 'input_request':
        if (!this.#input.request(run, frame)) {
          this.#broken('the worker asks for input again and again and takes no answer');
        }
        return;
      case 'input_cancelled':
        this.#input.cancel(frame.request);
        return;
      case 'finished':
        if (run) this.#finished(run, frame);
        return;
      default:
        this.#output.receive(frame);
    }
  }

  output(stream: OutputStream, text: string): void {
    this.#output.write(stream, text);
  }

  [Symbol.dispose](): void {
    this.#release();
    this.#history[Symbol.dispose]();
  }

  #admit(request: ExecuteRequest): void {
    const { session, limits, queueLength } = this.#options;
    const { gone, stateEpoch, circuitOpenMs } = this.#host;
    if (gone) throw gone;
    const load = { session, stateEpoch, limits, queued: this.#queue.length, queueLength, circuitOpenMs };
    const refused = refusal(request, load);
    if (refused?.code === 'QUEUE_FULL') this.#observer.limitHit('queue');
    if (refused) throw refused;
  }

  #broken(message: string): void {
    this.#log.append({ type: 'warning', code: 'WORKER_PROTOCOL', message });
    this.#isBroken = true;
    void this.#host.worker?.kill();
  }

  #started(run: ExecutionRun): void {
    run.start();
    this.#log.append({ type: 'started', execution: run.id, ...count(run.executionCount) });
    this.#output.releaseEarly();
    this.#watch?.started();
  }

  #watchOf(run: ExecutionRun): ExecutionWatch {
    return new ExecutionWatch(run, this.#options, {
      ask: () => this.#host.worker?.send({ type: 'interrupt', execution: run.id }),
      wake: () => this.#host.worker?.wake(),
      stacks: async () => (await this.#host.worker?.stacks()) ?? '',
      kill: () => void this.#host.worker?.kill(),
      warn: (warning) => this.#output.warn(run, warning),
      late: () => this.#observer.limitHit('executionSeconds'),
    });
  }

  #finished(run: ExecutionRun, frame: Extract<FromWorkerFrame, { type: 'finished' }>): void {
    run.measured(frame);
    this.#count = frame.executionCount;
    this.#names.apply(frame.variables);
    // However the code took the interrupt: a deadline that was reached is a timeout.
    this.#finish(run, run.ending === 'timeout' ? 'timeout' : frame.status);
  }

  /** Ends a run whose worker is gone. */
  #killed(run: ExecutionRun, reason: WorkerDeathReason, message: string): void {
    const error: WorkerDied = {
      code: 'WORKER_DIED',
      reason,
      message,
      how: 'Look at the `state` of the session: one that comes back has an empty namespace and a higher `stateEpoch`.',
    };
    run.error = error;
    this.#log.append({ type: 'error', execution: run.id, error });
    this.#finish(run, run.ending === 'timeout' ? 'timeout' : 'killed');
  }

  #finish(run: ExecutionRun, status: Execution['status']): void {
    const wasCurrent = run === this.#current;
    if (wasCurrent) this.#release();
    const outcome = this.#remember(run, run.finish(status));
    this.#usage = {
      cpuMs: this.#usage.cpuMs + outcome.usage.cpuMs,
      wallMs: this.#usage.wallMs + outcome.usage.wallMs,
      maxRssBytes: Math.max(this.#usage.maxRssBytes, outcome.usage.maxRssBytes),
    };
    this.#host.touch();
    if (wasCurrent && this.#host.worker) this.#host.setBusy(false);
    try {
      this.#log.append({ type: 'finished', execution: run.id, status, outcome });
      this.#observer.executed(outcome);
    } finally {
      run.settle(outcome);
    }
    if (wasCurrent) this.next();
  }

  /** @returns what is kept */
  #remember(run: ExecutionRun, outcome: Execution): Execution {
    const lastSeq = this.#log.lastSeq + 1;
    try {
      this.#history.finish(run, outcome, lastSeq);
      return outcome;
    } catch (error) {
      const short = shortOutcome(outcome, error);
      this.#history.finish(run, short, lastSeq);
      return short;
    }
  }

  /** Lets go of the current run and its timers. */
  #release(): void {
    this.#output.releaseEarly();
    this.#current = undefined;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }
}

function count(executionCount: number | undefined): { executionCount?: number } {
  return executionCount === undefined ? {} : { executionCount };
}
