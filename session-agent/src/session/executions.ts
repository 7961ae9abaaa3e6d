import { randomUUID } from 'node:crypto';
import {
  type ExecuteRequest,
  type Execution,
  type FromWorkerFrame,
  ReplPoolError,
  type SessionEvent,
  type Session as SessionResource,
  type Transaction,
  type WorkerDeathReason,
  type WorkerDied,
} from '@replpool/protocol';
import type { OutputStream } from '../worker/outputs.ts';
import { refusal } from './admission.ts';
import type { EventLog } from './event-log.ts';
import { ExecutionHistory, type KnownExecutions } from './execution-history.ts';
import { ExecutionInput } from './execution-input.ts';
import { ExecutionOutput } from './execution-output.ts';
import { ExecutionRun } from './execution-run.ts';
import { ExecutionWatch } from './execution-watch.ts';
import type { ExecutionsHost, ExecutionsOptions } from './executions-options.ts';
import { NamespaceNames } from './namespace-names.ts';
import { notRun } from './not-run.ts';
import type { SessionObserver } from './session-options.ts';
import type { SessionWorker } from './session-worker.ts';
import { shortOutcome } from './short-outcome.ts';
import type { Snapshot } from './snapshot.ts';
import { type OpenTransaction, withoutSnapshot } from './transaction.ts';
import { Transactions } from './transactions.ts';
import { Turn } from './turn.ts';

/** What a twin that took its worker's place does not have. */
export interface Undone {
  readonly lost: ReturnType<NamespaceNames['lose']>;
  /** Clients were told that executions had ended whose changes are gone. */
  readonly wasAcknowledged: boolean;
}

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
  readonly #transactions: Transactions;
  #queue: (ExecutionRun | Turn<Transaction>)[] = [];
  /** What the worker is busy with. */
  #current: ExecutionRun | undefined;
  #turn: Turn<Transaction> | undefined;
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
    this.#transactions = new Transactions({
      workFolder: options.workFolder,
      snapshotMaxBytes: options.limits.snapshotMaxBytes,
      worker: () => host.worker,
      takeOver: (twin) => host.takeOver(twin),
      rolledBack: (kind) => observer.rolledBack(kind),
      snapshotLost: (message) => this.#output.warn(this.#current, { code: 'SNAPSHOT_LOST', message }),
    });
  }

  /** All executions by their id. */
  get history(): KnownExecutions {
    return this.#history;
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
   * @throws ReplPoolError EXECUTION_ID_REUSED, EPOCH_CHANGED, TRANSACTION_OPEN, QUEUE_FULL, CIRCUIT_OPEN, INVALID_REQUEST, SESSION_NOT_FOUND, SESSION_LOST
   */
  submit(request: ExecuteRequest): { run: ExecutionRun } | { outcome: Execution } {
    const id = request.id ?? randomUUID();
    const known = this.#history.match(id, request);
    if (known) return known;
    this.#admit(request);
    // With more in the queue it may have ended by then.
    const refused = this.#turn || this.#queue.length > 0 ? undefined : this.#transactions.refusal(request);
    if (refused) throw refused;
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
    if (!worker || this.#current || this.#turn) return;
    const first = this.#queue.shift();
    if (!first) return;
    this.#host.setBusy(true);
    if (first instanceof Turn) this.#contain(this.#takeTurn(first));
    else this.#begin(first, worker);
  }

  async #takeTurn(turn: Turn<Transaction>): Promise<void> {
    this.#turn = turn;
    await turn.take();
    this.#turn = undefined;
    this.#host.touch();
    if (this.#host.worker) this.#host.setBusy(false);
    this.next();
  }

  #begin(run: ExecutionRun, worker: SessionWorker): void {
    this.#current = run;
    const refused = this.#transactions.refusal(run.request);
    if (refused) {
      this.#refused(run, refused);
      return;
    }
    if (this.#transactions.needsSnapshot(run.request)) this.#contain(this.#takeSnapshot(run));
    else this.#dispatch(run, worker);
    // Its time runs from here on: the snapshot is made in it.
    this.#watch = this.#watchOf(run);
  }

  async #takeSnapshot(run: ExecutionRun): Promise<void> {
    try {
      await this.#transactions.begin(run.id, run.request, this.#names);
      const { worker } = this.#host;
      if (this.#current !== run || worker === undefined) return;
      if (run.ending === undefined) this.#dispatch(run, worker);
      else this.#endedBefore(run, run.ending);
    } catch (error) {
      // Else it ended with its worker.
      if (this.#current === run) this.#refused(run, error);
    }
  }

  /** Its time was over, or nobody wanted it any more, before it began. */
  #endedBefore(run: ExecutionRun, why: 'interrupt' | 'timeout'): void {
    this.#transactions.commit();
    this.#finish(run, why === 'timeout' ? 'timeout' : 'cancelled');
  }

  #dispatch(run: ExecutionRun, worker: SessionWorker): void {
    const { code, silent = false } = run.request;
    const executionCount = this.#count + (silent ? 0 : 1);
    run.executionCount = executionCount;
    const hasInput = run.stdin !== undefined;
    worker.send({ type: 'execute', execution: run.id, code, silent, executionCount, hasInput });
  }

  /** Its turn has come, and it cannot be run. */
  #refused(run: ExecutionRun, why: unknown): void {
    run.error = notRun(why);
    this.#log.append({ type: 'error', execution: run.id, error: run.error });
    this.#finish(run, 'cancelled');
  }

  /**
   * Ends the open explicit transaction when what was queued before has run.
   * @param id of the transaction that is meant
   * @throws ReplPoolError NO_TRANSACTION, QUEUE_FULL, CIRCUIT_OPEN, SESSION_NOT_FOUND, SESSION_LOST
   */
  async endTransaction(how: 'commit' | 'rollback', id: string | undefined): Promise<Transaction> {
    this.#admit({});
    const turn = new Turn(() => this.#endTransaction(how, id));
    this.#queue.push(turn);
    this.#host.touch();
    this.next();
    return await turn.done;
  }

  async #endTransaction(how: 'commit' | 'rollback', id: string | undefined): Promise<Transaction> {
    const { current: open } = this.#transactions;
    if (open === undefined || (id !== undefined && id !== open.id)) {
      const what = id === undefined ? 'the session has no open transaction' : `transaction ${id} is not open`;
      throw new ReplPoolError('NO_TRANSACTION', what);
    }
    const transaction = how === 'commit' ? this.#transactions.commit() : await this.#transactions.rollBack();
    if (transaction === undefined) throw new ReplPoolError('NO_TRANSACTION', 'the transaction ended with its worker');
    this.#replaced(transaction);
    if (transaction.outcome === 'rolled_back') this.#names.goBack(open.names, 'the transaction was rolled back');
    this.#log.append({ type: 'transaction', execution: open.execution, transaction });
    return transaction;
  }

  /** The open transaction's state before, where others see that. */
  get isolated(): Snapshot | undefined {
    const { current } = this.#transactions;
    return current?.isIsolated && !current.isLost ? current.snapshot : undefined;
  }

  /** Whether the death of the worker leaves a twin that goes on. */
  get survivesWorker(): boolean {
    return this.#transactions.current?.survivesWorker ?? false;
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
    const run = this.#queue.find((each) => each instanceof ExecutionRun && each.id === id);
    if (run instanceof ExecutionRun) {
      this.#queue = this.#queue.filter((each) => each !== run);
      this.#finish(run, 'cancelled');
    } else this.interrupt(id);
    return this.#history.get(id);
  }

  cancelQueued(): void {
    for (const each of this.#queue.splice(0)) {
      if (each instanceof Turn)
        each.cancel(new ReplPoolError('NO_TRANSACTION', 'the transaction went with its worker'));
      else this.#finish(each, 'cancelled');
    }
  }

  /** The namespace is gone: what ran in it was killed, what waited for it is cancelled. */
  lose(reason: WorkerDeathReason, message: string): void {
    const open = this.#transactions.lose();
    open?.because('the namespace is gone, and all that was changed in it');
    this.#undone(reason, message, open, open?.toResource('rolled_back'));
    this.cancelQueued();
    this.#input.clear();
    this.#isBroken = false;
  }

  /**
   * The worker is gone, and its twin takes its place: all is as it was before the open transaction, and what waits goes on waiting.
   * @param resumed told once the twin goes on, before anything is said of what it ended
   */
  async goBack(reason: WorkerDeathReason, message: string, resumed: (undone: Undone) => void): Promise<void> {
    this.#stopWatch();
    const { current: open } = this.#transactions;
    const transaction = await this.#transactions.rollBackAfterDeath();
    // Else the session was restarted or has ended, and with it what ran.
    if (open === undefined || transaction === undefined || this.#host.gone) return;
    this.#input.clear();
    this.#isBroken = false;
    if (this.#host.worker) {
      const lost = this.#names.goBack(open.names, `the transaction ended with its worker (${reason})`);
      resumed({ lost, wasAcknowledged: open.ended > 0 });
    }
    this.#undone(reason, message, open, transaction);
    this.next();
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

  #admit(request: Parameters<typeof refusal>[0]): void {
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

  /** A defect in what one session does must not end the agent, and with it all sessions. */
  #contain(act: Promise<unknown>): void {
    act.catch((error: unknown) => {
      this.#observer.failed('what was to become of an execution is not known', error);
      void this.#host.worker?.kill();
    });
  }

  #started(run: ExecutionRun): void {
    run.start();
    this.#log.append({ type: 'started', execution: run.id, ...count(run.executionCount) });
    this.#output.releaseEarly();
    this.#watch?.started();
  }

  #watchOf(run: ExecutionRun): ExecutionWatch {
    return new ExecutionWatch(run, this.#options, {
      ask: () => {
        const { worker } = this.#host;
        worker?.send({ type: 'interrupt', execution: worker.takes ?? run.id });
      },
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
    // However the code took the interrupt: a deadline that was reached is a timeout.
    const status = run.ending === 'timeout' ? 'timeout' : frame.status;
    const { current: open } = this.#transactions;
    if (open !== undefined && open.policy !== 'explicit' && status !== 'ok') {
      this.#contain(this.#rollBack(run, status));
      return;
    }
    this.#names.apply(frame.variables);
    if (open?.policy === 'explicit') {
      open.joined(run.id);
      this.#tell(run, open.toResource('open'));
    } else if (open !== undefined) this.#tell(run, this.#transactions.commit());
    else if (run.request.transaction) this.#tell(run, withoutSnapshot());
    this.#finish(run, status);
  }

  /** Its code has ended and failed: it ends when what it changed is undone. */
  async #rollBack(run: ExecutionRun, status: Execution['status']): Promise<void> {
    this.#stopWatch();
    const transaction = await this.#transactions.rollBack();
    // Else its worker died meanwhile, and with it this.
    if (this.#current !== run || transaction === undefined) return;
    this.#replaced(transaction);
    if (transaction.outcome === 'rolled_back') run.undone();
    else this.#names.apply(run.variables);
    this.#tell(run, transaction);
    this.#finish(run, status);
  }

  /** Of a process that is gone nobody waits for an answer. */
  #replaced({ outcome, snapshot }: Transaction): void {
    if (outcome === 'rolled_back' && snapshot === 'fork') this.#input.clear();
  }

  #tell(run: ExecutionRun, transaction: Transaction): void {
    run.transaction = transaction;
    this.#log.append({ type: 'transaction', execution: run.id, transaction });
  }

  /** Ends what ran in a worker that is gone, and says what became of its transaction. */
  #undone(
    reason: WorkerDeathReason,
    message: string,
    open: OpenTransaction | undefined,
    transaction: Transaction | undefined,
  ): void {
    const run = this.#current;
    if (run) this.#killed(run, reason, message, transaction);
    else if (open && transaction) this.#log.append({ type: 'transaction', execution: open.execution, transaction });
  }

  /** Ends a run whose worker is gone. */
  #killed(run: ExecutionRun, reason: WorkerDeathReason, message: string, transaction: Transaction | undefined): void {
    const how =
      'Look at the `state` of the session: one that comes back has an empty namespace and a higher `stateEpoch`, or, by a transaction, the state before.';
    const error: WorkerDied = { code: 'WORKER_DIED', reason, message, how };
    run.error = error;
    // Its number was its own, though it told of no end.
    this.#count = run.executionCount ?? this.#count;
    this.#log.append({ type: 'error', execution: run.id, error });
    if (transaction) this.#tell(run, transaction);
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
    this.#stopWatch();
  }

  #stopWatch(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }
}

function count(executionCount: number | undefined): { executionCount?: number } {
  return executionCount === undefined ? {} : { executionCount };
}
