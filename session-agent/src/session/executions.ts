import { randomUUID } from 'node:crypto';
import type {
  ExecuteRequest,
  Execution,
  ExecutionList,
  ExecutionListQuery,
  FromWorkerFrame,
  Limits,
  ReplPoolError,
  SessionEvent,
  Session as SessionResource,
  WorkerDeathReason,
  WorkerDied,
} from '@replpool/protocol';
import type { OutputStream } from '../worker/worker.ts';
import { refusal } from './admission.ts';
import { Deadline } from './deadline.ts';
import { EarlyOutput } from './early-output.ts';
import type { EventLog } from './event-log.ts';
import { ExecutionHistory } from './execution-history.ts';
import { ExecutionRun } from './execution-run.ts';
import { InterruptLadder } from './interrupt-ladder.ts';
import { NamespaceNames } from './namespace-names.ts';
import { PendingInputs } from './pending-inputs.ts';
import type { SessionObserver } from './session-options.ts';
import type { SessionWorker } from './session-worker.ts';

export interface ExecutionsOptions {
  readonly session: string;
  readonly limits: Limits;
  readonly queueLength: number;
  readonly interruptGraceSeconds: number;
  /** Where large outcomes are kept. */
  readonly outcomesFolder: string;
}

type DisplayFrame = Extract<FromWorkerFrame, { type: 'display' | 'update_display' }>;

/** What executions need of their session. */
export interface ExecutionsHost {
  readonly log: EventLog;
  /** Runs the code; undefined while there is none, and then executions wait in the queue. */
  readonly worker: SessionWorker | undefined;
  readonly stateEpoch: number;
  readonly circuitOpenMs: number;
  /** What an ended session answers. */
  readonly gone: ReplPoolError | undefined;
  /** An execution goes to the worker, or the last one has ended. */
  setBusy(busy: boolean): void;
  touch(): void;
}

/** The executions of one session: one runs, others wait first in, first out, and all are remembered by their id. */
export class Executions implements Disposable {
  readonly #options: ExecutionsOptions;
  readonly #host: ExecutionsHost;
  readonly #observer: SessionObserver;
  readonly #log: EventLog;
  readonly #history: ExecutionHistory;
  readonly #inputs: PendingInputs;
  readonly #names = new NamespaceNames();
  #queue: ExecutionRun[] = [];
  #current: ExecutionRun | undefined;
  readonly #early = new EarlyOutput((stream, text) => this.#logOutput(stream, text));
  #deadline: Deadline | undefined;
  /** `maxExecutionSeconds`: where only threads wait for input the code may go on, and does not go on for ever. */
  #ceiling: Deadline | undefined;
  #ladder: InterruptLadder | undefined;
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
    this.#inputs = new PendingInputs(host.log);
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
    if (!this.#ladder?.killed) return undefined;
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
    this.#watch(run);
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
    const request = this.#inputs.take(execution, 'eof' in answer ? 'eof' : 'answered');
    this.#host.touch();
    this.#host.worker?.send({ type: 'input_reply', request, ...answer });
    this.#resumeDeadline();
  }

  /** Interrupts what runs; harmless where nothing does. */
  interrupt(execution?: string): void {
    const run = this.#current;
    if (!run || (execution !== undefined && run.id !== execution)) return;
    run.ending ??= 'interrupt';
    this.#ladder?.climb('a client interrupted it');
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
    this.#inputs.clear();
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
      this.#foreign(frame.execution);
      return;
    }
    switch (frame.type) {
      case 'started':
        if (run) this.#started(run);
        return;
      case 'result':
        run?.displays.outputComes();
        if (run) run.result = { data: frame.data, metadata: frame.metadata };
        this.#log.append({ type: 'result', execution: frame.execution, data: frame.data, metadata: frame.metadata });
        return;
      case 'display':
      case 'update_display':
        this.#displayed(run, frame);
        return;
      case 'clear_output':
        run?.displays.clear(frame.wait);
        this.#log.append({ type: 'clear_output', ...execution(frame.execution), wait: frame.wait });
        return;
      case 'error':
        run?.displays.outputComes();
        if (run) run.error = frame.error;
        this.#log.append({ type: 'error', execution: frame.execution, error: frame.error });
        return;
      case 'warning':
        this.#warn(run, frame.code, frame.message);
        return;
      case 'input_request':
        this.#inputRequested(run, frame);
        return;
      case 'input_cancelled':
        this.#inputs.cancel(frame.request);
        this.#resumeDeadline();
        return;
      case 'finished':
        if (run) this.#finished(run, frame);
        return;
      default:
        return;
    }
  }

  output(stream: OutputStream, text: string): void {
    if (text === '') return;
    this.#observer.output(Buffer.byteLength(text));
    if (this.#current?.status === 'queued') this.#early.hold(stream, text);
    else this.#logOutput(stream, text);
  }

  #logOutput(stream: OutputStream, text: string): void {
    const run = this.#current?.status === 'running' ? this.#current : undefined;
    if (!run) {
      this.#log.append({ type: stream, data: text });
      return;
    }
    run.displays.outputComes();
    const { send, hitLimit } = run.output.take(stream, text);
    if (send !== '') this.#log.append({ type: stream, execution: run.id, data: send });
    if (hitLimit) this.#truncated(run);
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

  /** A frame that names an execution that does not run: the worker is broken or an impostor, and only its own session pays. */
  #foreign(execution: string): void {
    this.#broken(`the worker named execution ${execution}, which does not run`);
  }

  #broken(message: string): void {
    this.#log.append({ type: 'warning', code: 'WORKER_PROTOCOL', message });
    this.#isBroken = true;
    void this.#host.worker?.kill();
  }

  #displayed(run: ExecutionRun | undefined, frame: DisplayFrame): void {
    const { type, data, metadata, transient } = frame;
    const size = Buffer.byteLength(JSON.stringify([data, metadata, transient]));
    const { send, hitLimit } = run?.output.takeDisplay(size) ?? { send: true, hitLimit: false };
    if (run && hitLimit) this.#truncated(run);
    if (!send) return;
    const id = typeof transient?.display_id === 'string' ? transient.display_id : undefined;
    if (type === 'display') run?.displays.show({ data, metadata }, id, size);
    else run?.displays.update({ data, metadata }, id, size);
    this.#log.append({ type, ...execution(frame.execution), data, metadata, ...(transient && { transient }) });
  }

  #truncated(run: ExecutionRun): void {
    this.#observer.limitHit('outputBytes');
    this.#warn(run, 'OUTPUT_TRUNCATED', `output beyond ${this.#options.limits.outputBytes} bytes is not kept`);
  }

  #started(run: ExecutionRun): void {
    run.start();
    this.#log.append({ type: 'started', execution: run.id, ...count(run.executionCount) });
    this.#early.release();
    // An interrupt that came between dispatch and start was dropped by the worker.
    if (run.ending) this.#ladder?.ask();
  }

  /** The deadline runs from the dispatch on: a worker that never starts the code does not hold its session up for ever. */
  #watch(run: ExecutionRun): void {
    const { interruptGraceSeconds: graceSeconds, limits } = this.#options;
    const ladder = new InterruptLadder(graceSeconds, {
      ask: () => this.#host.worker?.send({ type: 'interrupt', execution: run.id }),
      wake: () => this.#host.worker?.wake(),
      stacks: async () => (await this.#host.worker?.stacks()) ?? '',
      kill: () => void this.#host.worker?.kill(),
      warn: ({ code, message }) => this.#warn(run, code, message),
    });
    this.#ladder = ladder;
    const late = (seconds: number) => () => {
      run.ending = 'timeout';
      this.#observer.limitHit('executionSeconds');
      ladder.climb(`its time limit of ${seconds} s was over`);
    };
    const { maxExecutionSeconds } = limits;
    const limit = run.request.timeoutSeconds ?? limits.executionSeconds;
    this.#deadline = new Deadline(limit * 1000, late(limit));
    this.#ceiling = new Deadline(maxExecutionSeconds * 1000, late(maxExecutionSeconds));
    this.#deadline.run();
    this.#ceiling.run();
  }

  #warn(run: ExecutionRun | undefined, code: string, message: string): void {
    run?.warn({ code, message });
    this.#log.append({ type: 'warning', ...execution(run?.id), code, message });
  }

  #inputRequested(run: ExecutionRun | undefined, frame: Extract<FromWorkerFrame, { type: 'input_request' }>): void {
    if (run?.stdin && frame.execution === run.id) {
      const answer = run.stdin.next().value ?? { eof: true };
      this.#host.worker?.send({ type: 'input_reply', request: frame.request, ...answer });
      return;
    }
    if (frame.execution === undefined) {
      // Nobody could name what it waits for: a thread that outlived its execution asks when nothing runs.
      this.#host.worker?.send({ type: 'input_reply', request: frame.request, eof: true });
      return;
    }
    if (!this.#inputs.add(frame)) {
      this.#broken('the worker asks for input again and again and takes no answer');
      return;
    }
    this.#deadline?.hold();
    if (frame.main) this.#ceiling?.hold();
  }

  /** Time in a pending `input()` does not count. */
  #resumeDeadline(): void {
    const { threads, code } = this.#inputs.waitingOf(this.#current?.id);
    if (!threads && !code) this.#deadline?.run();
    if (!code) this.#ceiling?.run();
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

  /** @returns what is kept: of what no string can hold as JSON, or no disk, the part that matters most */
  #remember(run: ExecutionRun, outcome: Execution): Execution {
    const lastSeq = this.#log.lastSeq + 1;
    try {
      this.#history.finish(run, outcome, lastSeq);
      return outcome;
    } catch (error) {
      const message = `the outcome cannot be kept whole: ${error instanceof Error ? error.message : String(error)}`;
      const warnings = [{ code: 'OUTPUT_TRUNCATED', message }];
      const { result: _, error: failed, ...rest } = outcome;
      const short = { ...rest, ...shortError(failed), stdout: '', stderr: '', displays: [], warnings };
      this.#history.finish(run, short, lastSeq);
      return short;
    }
  }

  /** Lets go of the current run and its timers. */
  #release(): void {
    this.#early.release();
    this.#current = undefined;
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
    this.#ceiling?.[Symbol.dispose]();
    this.#ceiling = undefined;
    this.#ladder?.[Symbol.dispose]();
    this.#ladder = undefined;
  }
}

function execution(id: string | undefined): { execution?: string } {
  return id === undefined ? {} : { execution: id };
}

function count(executionCount: number | undefined): { executionCount?: number } {
  return executionCount === undefined ? {} : { executionCount };
}

function shortError(error: Execution['error']): Pick<Execution, 'error'> {
  if (error === undefined || 'code' in error) return { ...(error && { error }) };
  return { error: { name: error.name.slice(0, 1000), message: error.message.slice(0, 1000), traceback: [] } };
}
