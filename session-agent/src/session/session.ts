import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  type ExecuteRequest,
  type Execution,
  type FromWorkerFrame,
  type Isolation,
  type Limits,
  type SessionLostReason as LostReason,
  type PatchSession,
  ReplPoolError,
  type RequestId,
  type Session as SessionResource,
  type SessionState,
  type WorkerDeathReason,
  type WorkerDied,
} from '@replpool/protocol';
import { deathReason, describeExit, type ExitStatus } from '../worker/exit.ts';
import type { OutputStream, Worker } from '../worker/worker.ts';
import { Deadline } from './deadline.ts';
import { EventLog } from './event-log.ts';
import { ExecutionHistory } from './execution-history.ts';
import { ExecutionRun } from './execution-run.ts';
import { decideRecovery } from './recovery.ts';
import { SegmentFiles } from './spill-files.ts';
import { hasEnded, transition } from './states.ts';
import { WorkerRequests } from './worker-requests.ts';

export interface SessionOptions {
  readonly id: string;
  readonly pool: string;
  readonly pod: string;
  readonly template: string;
  readonly owner: string;
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly isolation: Isolation;
  readonly idleTimeoutSeconds: number;
  readonly interruptGraceSeconds: number;
  readonly queueLength: number;
  readonly onCrash: 'Recover' | 'Lose';
  /** The session's own folder: `work` in it is the code's working folder. */
  readonly directory: string;
  readonly ringBytes: number;
  readonly logBytes: number;
  acquireWorker(): Promise<Worker>;
}

/** What the owner of the sessions is told. */
export interface SessionObserver {
  changed(session: Session): void;
  ended(session: Session, reason: LostReason | 'deleted'): void;
  /** After the worker is gone: the session's folder may be removed. */
  closed(): Promise<void>;
  executed(outcome: Execution): void;
  output(bytes: number): void;
  limitHit(limit: string): void;
}

interface PendingInput {
  readonly request: RequestId;
  readonly execution: string | undefined;
}

/** The namespace's names that a `session` event lists as lost. */
const LISTED_LOST = 1000;

/** One session: a worker, a queue of executions, an event log. All of it changes on this thread only. */
export class Session {
  readonly id: string;
  readonly owner: string;
  readonly log: EventLog;
  readonly workFolder: string;
  readonly createdAt = new Date();
  name: string | undefined;
  labels: Readonly<Record<string, string>>;
  idleTimeoutSeconds: number;
  readonly #options: SessionOptions;
  readonly #observer: SessionObserver;
  readonly #history: ExecutionHistory;
  readonly #names = new Set<string>();
  readonly #deaths: number[] = [];
  readonly #epoch = 1;
  #state: SessionState = 'starting';
  #stateEpoch = 1;
  #executionCount = 0;
  #lastActivityAt = new Date();
  #worker: Worker | undefined;
  #requests: WorkerRequests | undefined;
  #queue: ExecutionRun[] = [];
  #current: ExecutionRun | undefined;
  #deadline: Deadline | undefined;
  #grace: NodeJS.Timeout | undefined;
  #recovery: NodeJS.Timeout | undefined;
  #circuitOpenUntil = 0;
  #inputs: PendingInput[] = [];
  #usage: SessionResource['usage'] = { cpuMs: 0, wallMs: 0, maxRssBytes: 0 };

  constructor(options: SessionOptions, observer: SessionObserver) {
    this.id = options.id;
    this.owner = options.owner;
    this.name = options.name;
    this.labels = options.labels;
    this.idleTimeoutSeconds = options.idleTimeoutSeconds;
    this.workFolder = join(options.directory, 'work');
    this.#options = options;
    this.#observer = observer;
    this.#history = new ExecutionHistory(options.id, join(options.directory, 'outcomes'));
    this.log = new EventLog({
      ringBytes: options.ringBytes,
      spill: new SegmentFiles(join(options.directory, 'log'), options.logBytes),
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  get stateEpoch(): number {
    return this.#stateEpoch;
  }

  get lastActivityAt(): Date {
    return this.#lastActivityAt;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Takes the first worker. @throws ReplPoolError WORKER_FAILED */
  async start(worker: Worker): Promise<void> {
    await this.#adopt(worker);
    this.#goTo('idle');
    this.log.append({ type: 'session', state: 'idle', stateEpoch: this.#stateEpoch });
  }

  toResource(): SessionResource {
    const { pool, template, pod, isolation, limits } = this.#options;
    return {
      id: this.id,
      pool,
      template,
      ...(this.name !== undefined && { name: this.name }),
      labels: { ...this.labels },
      state: this.#state,
      epoch: this.#epoch,
      stateEpoch: this.#stateEpoch,
      pod,
      createdAt: this.createdAt.toISOString(),
      lastActivityAt: this.#lastActivityAt.toISOString(),
      executionCount: this.#executionCount,
      idleTimeoutSeconds: this.idleTimeoutSeconds,
      isolation,
      limits,
      usage: this.#usage,
    };
  }

  /**
   * Queues code, or joins the execution that has this id already.
   * @throws ReplPoolError EXECUTION_ID_REUSED, EPOCH_CHANGED, QUEUE_FULL, CIRCUIT_OPEN, INVALID_REQUEST
   */
  submit(request: ExecuteRequest): { run: ExecutionRun } | { outcome: Execution } {
    const id = request.id ?? randomUUID();
    const known = this.#history.match(id, request);
    if (known) return known;
    this.#admit(request);
    const run = new ExecutionRun({
      id,
      session: this.id,
      request,
      firstSeq: this.log.lastSeq,
      outputBytes: this.#options.limits.outputBytes,
    });
    this.#history.accept(run);
    this.#queue.push(run);
    this.touch();
    this.log.append({ type: 'queued', execution: id });
    this.#next();
    return { run };
  }

  /** @throws ReplPoolError EXECUTION_NOT_FOUND */
  execution(id: string): Execution {
    return this.#history.get(id);
  }

  /** The execution while it is queued or running. */
  runOf(id: string): ExecutionRun | undefined {
    return this.#history.running(id);
  }

  /** Where an execution's events start. @throws ReplPoolError EXECUTION_NOT_FOUND */
  firstSeqOf(id: string): number {
    return this.#history.firstSeq(id);
  }

  executions(): Execution[] {
    return this.#history.list();
  }

  /**
   * Answers the oldest pending `input()` of an execution; of any where `execution` is undefined.
   * @throws ReplPoolError NO_INPUT_PENDING
   */
  answerInput(execution: string | undefined, answer: { value: string } | { eof: true }): void {
    const index = this.#inputs.findIndex((each) => execution === undefined || each.execution === execution);
    const pending = this.#inputs[index];
    if (!pending) {
      throw new ReplPoolError(
        'NO_INPUT_PENDING',
        'no input() waits for an answer',
        execution ? { details: { execution } } : {},
      );
    }
    this.#inputs.splice(index, 1);
    this.touch();
    this.#worker?.send({ type: 'input_reply', request: pending.request, ...answer });
    this.#inputDone(pending);
  }

  /** Interrupts what runs; harmless where nothing does. */
  interrupt(execution?: string): void {
    const run = this.#current;
    if (!run || (execution !== undefined && run.id !== execution)) return;
    run.ending ??= 'interrupt';
    this.#climb(run);
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

  /** A fresh namespace under the same id. What runs is killed, what is queued cancelled. */
  async restart(): Promise<void> {
    this.touch();
    this.#cancelQueued();
    if (this.#current) this.#current.ending = 'restart';
    const old = this.#worker;
    this.#worker = undefined;
    this.#state = transition(this.#state, 'recovering');
    clearTimeout(this.#recovery);
    this.#circuitOpenUntil = 0;
    this.#deaths.length = 0;
    if (this.#current) this.#killed(this.#current, 'interrupt', 'the session was restarted while it ran');
    this.#loseWorker();
    await old?.kill();
    await this.#replaceWorker('restart');
  }

  /** Asks the worker something that is not an execution. */
  async ask(frame: { type: 'complete' | 'inspect' | 'variables'; [field: string]: unknown }): Promise<unknown> {
    this.touch();
    if (!this.#requests) {
      throw new ReplPoolError('WORKER_FAILED', `session ${this.id} has no worker at the moment`, {
        why: `it is ${this.#state}`,
      });
    }
    return await this.#requests.ask(frame);
  }

  /** Ends the session for good; idempotent. */
  async close(reason: LostReason | 'deleted'): Promise<void> {
    if (hasEnded(this.#state)) return;
    this.#goTo(reason === 'deleted' || reason === 'expired' ? 'closed' : 'lost');
    clearTimeout(this.#recovery);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#cancelQueued();
    if (this.#current) this.#killed(this.#current, asDeath(reason), 'the session ended');
    this.#loseWorker();
    this.log.append({ type: 'session', state: this.#state, stateEpoch: this.#stateEpoch, reason });
    this.#observer.ended(this, reason);
    await worker?.kill();
    this.#history[Symbol.dispose]();
    this.log[Symbol.dispose]();
    await this.#observer.closed();
  }

  patch(patch: PatchSession): void {
    if (patch.name !== undefined) this.name = patch.name;
    if (patch.labels !== undefined) this.labels = patch.labels;
    if (patch.idleTimeoutSeconds !== undefined) this.idleTimeoutSeconds = patch.idleTimeoutSeconds;
    this.touch();
    this.#observer.changed(this);
  }

  touch(): void {
    this.#lastActivityAt = new Date();
  }

  #admit(request: ExecuteRequest): void {
    const { limits, queueLength } = this.#options;
    if (request.stateEpoch !== undefined && request.stateEpoch !== this.#stateEpoch) {
      throw new ReplPoolError(
        'EPOCH_CHANGED',
        `the session is at state epoch ${this.#stateEpoch}, not ${request.stateEpoch}`,
        {
          details: { stateEpoch: this.#stateEpoch },
        },
      );
    }
    if (request.timeoutSeconds !== undefined && request.timeoutSeconds > limits.maxExecutionSeconds) {
      throw new ReplPoolError('INVALID_REQUEST', `timeoutSeconds is at most ${limits.maxExecutionSeconds} here`, {
        details: { field: 'timeoutSeconds' },
      });
    }
    if (this.#circuitOpenUntil > Date.now()) {
      throw new ReplPoolError('CIRCUIT_OPEN', `session ${this.id} died three times within a minute`, {
        how: `Try again in ${Math.ceil((this.#circuitOpenUntil - Date.now()) / 1000)} s, or restart the session.`,
      });
    }
    if (this.#queue.length >= queueLength) {
      this.#observer.limitHit('queue');
      throw new ReplPoolError('QUEUE_FULL', `${queueLength} executions are queued already`);
    }
  }

  async #adopt(worker: Worker): Promise<void> {
    const requests = new WorkerRequests((frame) => worker.send(frame));
    worker.attach({
      frame: (frame) => {
        if (this.#worker === worker) this.#receive(frame);
      },
      output: (stream, text) => {
        if (this.#worker === worker) this.#output(stream, text);
      },
      exited: (status, protocolError) => {
        requests.fail(new ReplPoolError('WORKER_FAILED', 'the worker died before it answered'));
        if (this.#worker === worker) this.#died(status, protocolError);
      },
    });
    this.#worker = worker;
    this.#requests = requests;
    const { env, limits } = this.#options;
    await requests.open({ session: this.id, cwd: this.workFolder, env, fileDescriptors: limits.fileDescriptors });
  }

  #next(): void {
    if (this.#state !== 'idle' || !this.#worker) return;
    const run = this.#queue.shift();
    if (!run) return;
    this.#goTo('busy');
    this.#current = run;
    const { code, silent = false } = run.request;
    this.#worker.send({
      type: 'execute',
      execution: run.id,
      code,
      silent,
      executionCount: this.#executionCount + (silent ? 0 : 1),
      hasInput: run.stdin !== undefined,
    });
  }

  #receive(frame: FromWorkerFrame): void {
    if (frame.type === 'opened' || frame.type === 'reply' || frame.type === 'problem') {
      this.#requests?.answer(frame);
      return;
    }
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
        if (run) run.result = { data: frame.data, metadata: frame.metadata };
        this.log.append({ type: 'result', execution: frame.execution, data: frame.data, metadata: frame.metadata });
        return;
      case 'display':
      case 'update_display':
        if (frame.type === 'display') run?.display({ data: frame.data, metadata: frame.metadata });
        this.log.append({
          type: frame.type,
          ...execution(frame.execution),
          data: frame.data,
          metadata: frame.metadata,
          ...(frame.transient && { transient: frame.transient }),
        });
        return;
      case 'clear_output':
        this.log.append({ type: 'clear_output', ...execution(frame.execution), wait: frame.wait });
        return;
      case 'error':
        if (run) run.error = frame.error;
        this.log.append({ type: 'error', execution: frame.execution, error: frame.error });
        return;
      case 'warning':
        this.#warn(run, frame.code, frame.message);
        return;
      case 'input_request':
        this.#inputRequested(run, frame);
        return;
      case 'input_cancelled': {
        const pending = this.#inputs.find((each) => each.request === frame.request);
        this.#inputs = this.#inputs.filter((each) => each !== pending);
        if (pending) this.#inputDone(pending);
        return;
      }
      case 'finished':
        if (run) this.#finished(run, frame);
        return;
      default:
        return;
    }
  }

  /** A frame that names an execution that does not run: the worker is broken or an impostor, and only its own session pays. */
  #foreign(execution: string): void {
    this.log.append({
      type: 'warning',
      code: 'WORKER_PROTOCOL',
      message: `the worker named execution ${execution}, which does not run`,
    });
    void this.#worker?.kill();
  }

  #started(run: ExecutionRun): void {
    run.start();
    this.log.append({ type: 'started', execution: run.id });
    const seconds = run.request.timeoutSeconds ?? this.#options.limits.executionSeconds;
    this.#deadline = new Deadline(seconds * 1000, () => {
      run.ending = 'timeout';
      this.#observer.limitHit('executionSeconds');
      this.#climb(run);
    });
    this.#deadline.run();
    // An interrupt that came between dispatch and start was dropped by the worker.
    if (run.ending) this.#climb(run);
  }

  #output(stream: OutputStream, text: string): void {
    if (text === '') return;
    this.#observer.output(Buffer.byteLength(text));
    const run = this.#current?.status === 'running' ? this.#current : undefined;
    if (!run) {
      this.log.append({ type: stream, data: text });
      return;
    }
    const { send, hitLimit } = run.output.take(stream, text);
    if (send !== '') this.log.append({ type: stream, execution: run.id, data: send });
    if (!hitLimit) return;
    this.#observer.limitHit('outputBytes');
    this.#warn(run, 'OUTPUT_TRUNCATED', `output beyond ${this.#options.limits.outputBytes} bytes is not kept`);
  }

  #warn(run: ExecutionRun | undefined, code: string, message: string): void {
    run?.warnings.push({ code, message });
    this.log.append({ type: 'warning', ...execution(run?.id), code, message });
  }

  #inputRequested(run: ExecutionRun | undefined, frame: Extract<FromWorkerFrame, { type: 'input_request' }>): void {
    if (run?.stdin && frame.execution === run.id) {
      const line = run.stdin.shift();
      const answer = line === undefined ? { eof: true } : { value: line };
      this.#worker?.send({ type: 'input_reply', request: frame.request, ...answer });
      return;
    }
    this.#inputs.push({ request: frame.request, execution: frame.execution });
    this.#deadline?.hold();
    this.log.append({
      type: 'input_request',
      ...execution(frame.execution),
      prompt: frame.prompt,
      password: frame.password,
    });
  }

  #inputDone(pending: PendingInput): void {
    this.log.append({ type: 'input_done', ...execution(pending.execution) });
    if (this.#inputs.length === 0) this.#deadline?.run();
  }

  /** The interrupt ladder: ask, and after the grace kill. A repeated interrupt asks again and does not move the deadline. */
  #climb(run: ExecutionRun): void {
    if (run.status !== 'running') return;
    this.#worker?.send({ type: 'interrupt', execution: run.id });
    this.#grace ??= setTimeout(() => {
      this.#warn(
        run,
        'INTERRUPT_KILLED',
        `the code did not stop within ${this.#options.interruptGraceSeconds} s and was killed`,
      );
      void this.#worker?.kill();
    }, this.#options.interruptGraceSeconds * 1000);
  }

  #finished(run: ExecutionRun, frame: Extract<FromWorkerFrame, { type: 'finished' }>): void {
    run.measured(frame);
    this.#executionCount = frame.executionCount;
    for (const name of frame.variables.added) this.#names.add(name);
    for (const name of frame.variables.deleted) this.#names.delete(name);
    const timedOut = frame.status === 'interrupted' && run.ending === 'timeout';
    this.#finish(run, timedOut ? 'timeout' : frame.status);
  }

  #died(status: ExitStatus, protocolError: Error | undefined): void {
    const run = this.#current;
    const climbed = this.#grace !== undefined;
    const reason: WorkerDeathReason = climbed
      ? run?.ending === 'timeout'
        ? 'timeout'
        : 'interrupt'
      : protocolError
        ? 'crash'
        : deathReason(status);
    this.#worker = undefined;
    if (run) this.#killed(run, reason, protocolError?.message ?? `the worker ended ${describeExit(status)}`);
    this.#cancelQueued();
    this.#loseWorker();
    if (this.#options.onCrash === 'Lose') return void this.close(reason);
    this.#deaths.push(Date.now());
    this.#goTo('recovering');
    const decision = decideRecovery(this.#deaths, Date.now());
    const delay = decision.kind === 'open' ? decision.forMs : decision.afterMs;
    if (decision.kind === 'open') this.#circuitOpenUntil = Date.now() + delay;
    this.log.append({ type: 'session', state: 'recovering', stateEpoch: this.#stateEpoch, reason });
    this.#recovery = setTimeout(() => void this.#replaceWorker(reason), delay);
  }

  async #replaceWorker(reason: LostReason | 'restart'): Promise<void> {
    try {
      const worker = await this.#options.acquireWorker();
      if (this.#state !== 'recovering') return void worker.kill();
      await this.#adopt(worker);
    } catch (error) {
      // No worker to be had: the queue waits for the next try, and a restart's caller is told.
      if (this.#state === 'recovering') this.#recovery = setTimeout(() => void this.#replaceWorker(reason), 1000);
      if (reason === 'restart') throw error;
      return;
    }
    const why = `the worker that held it is gone (${reason})`;
    const lost = [...this.#names].slice(0, LISTED_LOST).map((name) => ({ name, why }));
    this.#names.clear();
    this.#executionCount = 0;
    this.#stateEpoch += 1;
    this.#goTo('idle');
    this.log.append({
      type: 'session',
      state: 'idle',
      stateEpoch: this.#stateEpoch,
      reason,
      restored: 'nothing',
      lost,
    });
    this.#next();
  }

  /** Ends a run whose worker is gone. */
  #killed(run: ExecutionRun, reason: WorkerDeathReason, message: string): void {
    const error: WorkerDied = {
      code: 'WORKER_DIED',
      reason,
      message,
      how: 'The session comes back with an empty namespace; run again what you need. See `stateEpoch`.',
    };
    run.error = error;
    this.log.append({ type: 'error', execution: run.id, error });
    this.#finish(run, run.ending === 'timeout' ? 'timeout' : 'killed');
  }

  #finish(run: ExecutionRun, status: Execution['status']): void {
    const wasCurrent = run === this.#current;
    if (wasCurrent) this.#release();
    const outcome = run.finish(status);
    this.#history.finish(run, outcome);
    this.#usage = {
      cpuMs: this.#usage.cpuMs + outcome.usage.cpuMs,
      wallMs: this.#usage.wallMs + outcome.usage.wallMs,
      maxRssBytes: Math.max(this.#usage.maxRssBytes, outcome.usage.maxRssBytes),
    };
    this.touch();
    if (wasCurrent && this.#state === 'busy' && this.#worker) this.#goTo('idle');
    this.log.append({ type: 'finished', execution: run.id, status, outcome });
    this.#observer.executed(outcome);
    run.settle(outcome);
    if (wasCurrent) this.#next();
  }

  /** Lets go of the current run's timers. */
  #release(): void {
    this.#current = undefined;
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
    clearTimeout(this.#grace);
    this.#grace = undefined;
  }

  #loseWorker(): void {
    for (const pending of this.#inputs.splice(0)) this.#inputDone(pending);
    this.#requests?.fail(new ReplPoolError('WORKER_FAILED', 'the worker ended before it answered'));
    this.#requests = undefined;
  }

  #cancelQueued(): void {
    for (const run of this.#queue.splice(0)) this.#finish(run, 'cancelled');
  }

  #goTo(state: SessionState): void {
    this.#state = transition(this.#state, state);
    this.#observer.changed(this);
  }
}

function execution(id: string | undefined): { execution?: string } {
  return id === undefined ? {} : { execution: id };
}

/** Why a running execution's worker dies when its session ends for `reason`. */
function asDeath(reason: LostReason | 'deleted'): WorkerDeathReason {
  return reason === 'deleted' || reason === 'expired' ? 'exit' : reason;
}
