import { randomUUID } from 'node:crypto';
import {
  type ExecuteRequest,
  type Execution,
  type FromWorkerFrame,
  ReplPoolError,
  type SessionEvent,
  type Session as SessionResource,
  type Transaction,
  type Undone,
  type WorkerDeathReason,
} from '@replpool/protocol';
import type { OutputStream } from '../worker/outputs.ts';
import { epochChanged, refusal } from './admission.ts';
import type { EventLog } from './event-log.ts';
import { ExecutionHistory, type KnownExecutions } from './execution-history.ts';
import { ExecutionInput } from './execution-input.ts';
import { ExecutionOutcomes } from './execution-outcomes.ts';
import { ExecutionOutput } from './execution-output.ts';
import { ExecutionQueue } from './execution-queue.ts';
import { ExecutionRun } from './execution-run.ts';
import { ExecutionWatch } from './execution-watch.ts';
import type { ExecutionsHost, ExecutionsOptions } from './executions-options.ts';
import { type LostNames, NamespaceNames } from './namespace-names.ts';
import type { Death } from './rewind.ts';
import type { SessionObserver } from './session-options.ts';
import type { SessionWorker } from './session-worker.ts';
import { StateFlow, type StateFlowRuns } from './state-flow.ts';
import { Turn } from './turn.ts';

/** The executions of one session: one runs, others wait first in, first out, and all are remembered by their id. */
export class Executions implements Disposable {
  readonly #options: ExecutionsOptions;
  readonly #host: ExecutionsHost;
  readonly #observer: SessionObserver;
  readonly #log: EventLog;
  readonly #history: ExecutionHistory;
  readonly #outcomes: ExecutionOutcomes;
  readonly #input: ExecutionInput;
  readonly #output: ExecutionOutput;
  readonly #names: NamespaceNames;
  readonly #state: StateFlow;
  readonly #queue = new ExecutionQueue();
  /** What the worker is busy with. */
  #current: ExecutionRun | undefined;
  #turn: Turn | undefined;
  #watch: ExecutionWatch | undefined;
  #count: number;
  /** The worker broke the protocol. */
  #isBroken = false;

  constructor(options: ExecutionsOptions, host: ExecutionsHost, observer: SessionObserver) {
    this.#options = options;
    this.#host = host;
    this.#observer = observer;
    this.#log = host.log;
    this.#count = options.inherited?.count ?? 0;
    this.#names = options.inherited?.names.copy() ?? new NamespaceNames();
    this.#history = new ExecutionHistory(options.session, options.outcomesFolder);
    this.#outcomes = new ExecutionOutcomes(host.log, this.#history, observer);
    this.#input = new ExecutionInput({
      log: host.log,
      reply: (request, answer) => host.worker?.send({ type: 'input_reply', request, ...answer }),
      watch: () => this.#watch,
    });
    const { outputBytes, snapshotMaxBytes } = options.limits;
    this.#output = new ExecutionOutput({ log: host.log, observer, outputBytes, current: () => this.#current });
    this.#state = new StateFlow(
      {
        host,
        workFolder: options.workFolder,
        keepSnapshots: options.keepSnapshots,
        snapshotMaxBytes,
        names: this.#names,
        input: this.#input,
        outcomes: this.#outcomes,
        rolledBack: (kind) => observer.rolledBack(kind),
        warn: (warning) => this.#output.warn(this.#current, warning),
      },
      this.#runs(),
    );
  }

  /** All executions by their id. */
  get history(): KnownExecutions {
    return this.#history;
  }

  /** Executions of the present namespace that counted. */
  get count(): number {
    return this.#count;
  }

  /** The names in the namespace, as executions told of them. */
  get names(): NamespaceNames {
    return this.#names;
  }

  /** The sum of all executions' times, and the highest memory of one. */
  get usage(): SessionResource['usage'] {
    return this.#outcomes.usage;
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
    const refused = this.#turn || this.#queue.length > 0 ? undefined : this.#state.refusal(request);
    if (refused) throw refused;
    const { session, limits } = this.#options;
    const { outputBytes } = limits;
    const run = new ExecutionRun({ id, session, request, firstSeq: this.#log.lastSeq, outputBytes });
    this.#history.accept(run);
    this.#queue.add(run);
    this.#host.touch();
    this.#log.append({ type: 'queued', execution: id });
    this.next();
    return { run };
  }

  /** Gives the oldest that waits to the worker, where that is free. */
  next(): void {
    const { worker } = this.#host;
    if (!worker || this.#current || this.#turn || this.#state.isGoingBack) return;
    const first = this.#queue.take();
    if (!first) return;
    this.#host.setBusy(true);
    if (first instanceof Turn) this.#contain(this.#takeTurn(first));
    else this.#begin(first, worker);
  }

  /**
   * Ends the open explicit transaction when what was queued before has run.
   * @param id of the transaction that is meant
   * @throws ReplPoolError NO_TRANSACTION, NO_SNAPSHOT, QUEUE_FULL, CIRCUIT_OPEN, WORKER_FAILED, SESSION_NOT_FOUND, SESSION_LOST
   */
  endTransaction(how: 'commit' | 'rollback', id: string | undefined): Promise<Transaction> {
    return this.inTurn(() => this.#state.endTransaction(how, id));
  }

  /**
   * Goes back to before the last executions of which the changes stand, when what was queued before has run.
   * @throws ReplPoolError NO_SNAPSHOT, TRANSACTION_OPEN, QUEUE_FULL, CIRCUIT_OPEN, WORKER_FAILED, SESSION_NOT_FOUND, SESSION_LOST
   */
  undo(executions: number): Promise<Undone> {
    return this.inTurn(() => this.#state.undo(executions));
  }

  /**
   * Does something with the worker when what was queued before has run, and before what is queued later.
   * @throws ReplPoolError QUEUE_FULL, CIRCUIT_OPEN, SESSION_NOT_FOUND, SESSION_LOST, and what it throws
   */
  async inTurn<T>(act: () => Promise<T>): Promise<T> {
    this.#admit({});
    const { turn, done } = Turn.of(act);
    this.#queue.add(turn);
    this.#host.touch();
    this.next();
    return await done;
  }

  /** What becomes of the session's state. */
  get state(): Pick<StateFlow, 'undoable' | 'isolated' | 'survivesWorker' | 'arrived' | 'refusalOf'> {
    return this.#state;
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
    const run = this.#queue.remove(id);
    if (run === undefined) this.interrupt(id);
    else this.#finish(run, 'cancelled');
    return this.#history.get(id);
  }

  cancelQueued(): void {
    this.#takeQueued()();
  }

  /** The namespace is gone: what ran in it was killed, what waited for it is cancelled. */
  lose(reason: WorkerDeathReason, message: string): void {
    this.#state.lose({ reason, message });
    this.cancelQueued();
    this.#input.clear();
    this.#isBroken = false;
  }

  /** The worker is dead, and the session goes on in an earlier state. */
  goBackAfter(death: Death): void {
    this.#stopWatch();
    this.#isBroken = false;
    this.#contain(this.#state.goBackAfter(death));
  }

  /** A new namespace; says which names the old one had. */
  forgetNames(why: string): LostNames {
    this.#count = 0;
    return this.#names.lose(why);
  }

  receive(frame: FromWorkerFrame): void {
    const run = this.#current;
    if ('execution' in frame && frame.execution !== undefined && !(run?.isWithWorker && frame.execution === run.id)) {
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

  #runs(): StateFlowRuns {
    const executions = this;
    return {
      get current() {
        return executions.#current;
      },
      finish: (run, status) => this.#finish(run, status),
      killed: (run, death, transaction) => this.#killed(run, death, transaction),
      takeQueued: () => this.#takeQueued(),
      next: () => this.next(),
    };
  }

  #takeQueued(): () => void {
    const queued = this.#queue.empty();
    return () => {
      for (const each of queued) {
        if (each instanceof Turn) {
          each.cancel(this.#host.gone ?? new ReplPoolError('NO_TRANSACTION', 'its state is gone'));
        } else this.#finish(each, 'cancelled');
      }
    };
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

  async #takeTurn(turn: Turn): Promise<void> {
    this.#turn = turn;
    await turn.take();
    this.#turn = undefined;
    this.#host.touch();
    if (this.#host.worker) this.#host.setBusy(false);
    this.next();
  }

  #begin(run: ExecutionRun, worker: SessionWorker): void {
    this.#current = run;
    const refused = this.#refusalAtItsTurn(run);
    if (refused) {
      this.#refused(run, refused);
      return;
    }
    if (this.#state.needsSnapshot(run.request)) this.#contain(this.#takeSnapshot(run));
    else this.#dispatch(run, worker);
    // Its time runs from here on: the snapshot is made in it.
    this.#watch = this.#watchOf(run);
  }

  /** What was true when it was sent need not be. */
  #refusalAtItsTurn({ request }: ExecutionRun): ReplPoolError | undefined {
    return epochChanged(request, this.#host.stateEpoch) ?? this.#state.refusal(request);
  }

  async #takeSnapshot(run: ExecutionRun): Promise<void> {
    try {
      await this.#state.begin(run);
      const { worker } = this.#host;
      if (this.#current !== run || worker === undefined) return;
      if (run.ending === undefined) this.#dispatch(run, worker);
      else {
        // Its time was over, or nobody wanted it any more, before it began.
        this.#state.cancel(run);
        this.#finish(run, run.ending === 'timeout' ? 'timeout' : 'cancelled');
      }
    } catch (error) {
      // Else it ends with its worker.
      if (this.#current === run && !this.#state.isGoingBack) this.#refused(run, error);
    }
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
    this.#outcomes.refused(run, why);
    this.#finish(run, 'cancelled');
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
    if (status !== 'ok') this.#stopWatch();
    this.#contain(this.#state.ended(run, status));
  }

  /** Ends a run whose worker is gone. */
  #killed(run: ExecutionRun, death: Death, transaction: Transaction | undefined): void {
    // Its number was its own, though it told of no end.
    this.#count = run.executionCount ?? this.#count;
    this.#outcomes.killed(run, death);
    if (transaction) this.#outcomes.tell(run, transaction);
    this.#finish(run, run.ending === 'timeout' ? 'timeout' : 'killed');
  }

  #finish(run: ExecutionRun, status: Execution['status']): void {
    const wasCurrent = run === this.#current;
    if (wasCurrent) this.#release();
    const outcome = this.#outcomes.keep(run, status);
    this.#host.touch();
    if (wasCurrent && this.#host.worker) this.#host.setBusy(false);
    this.#outcomes.announce(run, outcome);
    if (wasCurrent) this.next();
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
}

function count(executionCount: number | undefined): { executionCount?: number } {
  return executionCount === undefined ? {} : { executionCount };
}
