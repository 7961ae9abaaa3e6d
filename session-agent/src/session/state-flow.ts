import {
  type ExecuteRequest,
  type Execution,
  ReplPoolError,
  type SnapshotKind,
  type Transaction,
  type Undone,
  type Warning,
} from '@replpool/protocol';
import type { ExecutionInput } from './execution-input.ts';
import type { ExecutionOutcomes } from './execution-outcomes.ts';
import type { ExecutionRun } from './execution-run.ts';
import type { ExecutionsHost } from './executions-options.ts';
import type { NamespaceNames } from './namespace-names.ts';
import type { Point } from './point.ts';
import type { Death, Rewound } from './rewind.ts';
import { noSnapshot, Rewinds } from './rewinds.ts';
import type { Snapshot } from './snapshot.ts';
import { Timeline, type Undoing } from './timeline.ts';
import { type OpenTransaction, withoutSnapshot } from './transaction.ts';
import { Transactions } from './transactions.ts';

export interface StateFlowOptions {
  readonly host: ExecutionsHost;
  readonly workFolder: string;
  readonly keepSnapshots: number;
  readonly snapshotMaxBytes: number;
  readonly names: NamespaceNames;
  readonly input: ExecutionInput;
  readonly outcomes: ExecutionOutcomes;
  rolledBack(kind: SnapshotKind): void;
  warn(warning: Warning): void;
}

/** The executions whose state it is. */
export interface StateFlowRuns {
  /** What the worker is busy with. */
  readonly current: ExecutionRun | undefined;
  finish(run: ExecutionRun, status: Execution['status']): void;
  /** Ends a run whose worker is gone. */
  killed(run: ExecutionRun, death: Death, transaction: Transaction | undefined): void;
  /** Takes what is queued out of the queue. @returns what cancels it */
  takeQueued(): () => void;
  next(): void;
}

/** What becomes of a session's state: kept, rolled back, undone, or lost with its worker; and what is told of it. */
export class StateFlow {
  readonly #options: StateFlowOptions;
  readonly #runs: StateFlowRuns;
  readonly #timeline: Timeline;
  readonly #transactions: Transactions;
  readonly #rewinds: Rewinds;

  constructor(options: StateFlowOptions, runs: StateFlowRuns) {
    const { host, workFolder, keepSnapshots, snapshotMaxBytes, names, input, rolledBack, warn } = options;
    this.#options = options;
    this.#runs = runs;
    const discard = ({ snapshot }: Point) => {
      if (host.worker !== undefined) host.worker.discard(snapshot);
      else if (snapshot.kind === 'fork') snapshot.twin[Symbol.dispose]();
    };
    const timeline = new Timeline(keepSnapshots, discard);
    const transactions = new Transactions(timeline, {
      snapshotMaxBytes,
      worker: () => host.worker,
      snapshotLost: (message) => warn({ code: 'SNAPSHOT_LOST', message }),
    });
    const lost = (point: Point) => transactions.lost(point);
    this.#timeline = timeline;
    this.#transactions = transactions;
    this.#rewinds = new Rewinds({ workFolder, host, timeline, names, input, discard, lost, rolledBack });
  }

  /** So many executions can be undone. */
  get undoable(): number {
    return this.#timeline.undoable;
  }

  /** The open transaction's state before, where others see that. */
  get isolated(): Snapshot | undefined {
    const { current } = this.#transactions;
    return current?.isIsolated && !current.point.isLost ? current.point.snapshot : undefined;
  }

  /** Whether the session is on its way back to an earlier state. */
  get isGoingBack(): boolean {
    return this.#rewinds.current !== undefined;
  }

  /** Whether the death of the worker leaves a twin that goes on. */
  get survivesWorker(): boolean {
    return this.#rewinds.surviveWorker;
  }

  /** Resolves when the session is not on its way back. */
  async arrived(): Promise<void> {
    while (this.#rewinds.current) await this.#rewinds.current.done;
  }

  /** Why code cannot run in the transaction that it asks for. */
  refusal(request: ExecuteRequest): ReplPoolError | undefined {
    return this.#transactions.refusal(request);
  }

  /** Why something is not possible now: an explicit transaction is open. */
  refusalOf(what: string): ReplPoolError | undefined {
    return this.#transactions.refusalOf(what);
  }

  /** Whether code has to wait for a snapshot. */
  needsSnapshot(request: ExecuteRequest): boolean {
    return this.#transactions.needsSnapshot(request);
  }

  /** Takes the snapshot that code needs. @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED */
  async begin({ id, request }: ExecutionRun): Promise<void> {
    await this.#transactions.begin(id, request, this.#options.names);
  }

  /** The code for which a snapshot was taken does not run. */
  cancel(run: ExecutionRun): void {
    this.#transactions.cancel(run.id);
  }

  /** Code has come to its end: what it changed stands, or is undone, and then it has ended. */
  async ended(run: ExecutionRun, status: Execution['status']): Promise<void> {
    const { current: open } = this.#transactions;
    if (open !== undefined && open.policy !== 'explicit' && status !== 'ok') {
      await this.#rollBack(run, open, status);
      return;
    }
    const { names, outcomes } = this.#options;
    names.apply(run.variables);
    const told = this.#transactions.ran(run.id) ?? (run.request.transaction && withoutSnapshot());
    if (told) outcomes.tell(run, told);
    this.#runs.finish(run, status);
  }

  /** Ends the open explicit transaction. @throws ReplPoolError NO_TRANSACTION, NO_SNAPSHOT, WORKER_FAILED */
  async endTransaction(how: 'commit' | 'rollback', id: string | undefined): Promise<Transaction> {
    const { current: open } = this.#transactions;
    if (open === undefined || (id !== undefined && id !== open.id)) {
      const what = id === undefined ? 'the session has no open transaction' : `transaction ${id} is not open`;
      throw new ReplPoolError('NO_TRANSACTION', what);
    }
    if (how === 'rollback') return await this.#rollBackFor(open);
    this.#transactions.end();
    return this.#tell(open, open.toResource('committed'));
  }

  /** Goes back to before the last executions of which the changes stand. @throws ReplPoolError NO_SNAPSHOT, TRANSACTION_OPEN, WORKER_FAILED */
  async undo(executions: number): Promise<Undone> {
    const refused = this.refusalOf('undo');
    if (refused) throw refused;
    const undoing = this.#timeline.before(executions);
    if (undoing === undefined) {
      throw noSnapshot(`no state from before its last ${executions} executions is kept`, this.undoable);
    }
    const rewound = await this.#rewinds.go(undoing, 'undo');
    if (rewound?.state === 'gone') this.#beginAnew(rewound);
    return this.#rewinds.undone(undoing, rewound);
  }

  /** The worker is dead, and the session goes on in an earlier state. */
  async goBackAfter(death: Death): Promise<void> {
    const { current } = this.#rewinds;
    const { recovery } = this.#timeline;
    if (current?.outlivesWorker) current.died(death);
    else if (recovery) await this.#goBackAfter(death, recovery);
  }

  /** The namespace is gone: what ran in it was killed, and nobody goes back to anything. */
  lose(death: Death): void {
    this.#rewinds.abandon();
    const open = this.#transactions.end();
    open?.because('the namespace is gone, and all that was changed in it');
    this.#timeline.clear();
    this.#killed(death, open, open?.toResource('rolled_back'));
  }

  /** Code has failed: it ends when what it changed is undone. */
  async #rollBack(run: ExecutionRun, open: OpenTransaction, status: Execution['status']): Promise<void> {
    const rewound = await this.#rewinds.go(this.#timeline.to(open.point), 'failure');
    // Else the namespace went meanwhile, and with it this.
    if (rewound === undefined) return;
    const { names, outcomes } = this.#options;
    const transaction = this.#ended(open, rewound);
    if (rewound.state === 'kept') {
      names.apply(run.variables);
      this.#timeline.ran(run.id);
    } else run.undone();
    outcomes.tell(run, transaction);
    this.#runs.finish(run, status);
    if (rewound.state === 'gone') this.#beginAnew(rewound);
  }

  /** A client wants none of it. @throws ReplPoolError NO_TRANSACTION, NO_SNAPSHOT, WORKER_FAILED */
  async #rollBackFor(open: OpenTransaction): Promise<Transaction> {
    const rewound = await this.#rewinds.go(this.#timeline.to(open.point), 'rollback');
    if (rewound === undefined) throw new ReplPoolError('NO_TRANSACTION', 'the transaction ended with its worker');
    const transaction = this.#tell(open, this.#ended(open, rewound));
    const { state, reason = '' } = rewound;
    if (state === 'kept') throw noSnapshot(reason, this.undoable);
    if (state === 'back') return transaction;
    this.#beginAnew(rewound);
    throw new ReplPoolError('WORKER_FAILED', 'the session begins anew', { why: reason });
  }

  async #goBackAfter(death: Death, undoing: Undoing): Promise<void> {
    const { current: open } = this.#transactions;
    const rewound = await this.#rewinds.go(undoing, 'death', death);
    // Else the session was restarted or has ended, and with it what ran.
    if (rewound === undefined) return;
    const transaction = open && this.#ended(open, rewound);
    // What was sent for a state that is gone does not run on another.
    const cancel = undoing.executions.length > 0 || rewound.state === 'gone' ? this.#runs.takeQueued() : undefined;
    this.#killed(death, open, transaction);
    cancel?.();
    if (rewound.state === 'gone') this.#beginAnew(rewound);
    this.#runs.next();
  }

  /** The transaction is over by a way back. */
  #ended(open: OpenTransaction, rewound: Rewound): Transaction {
    this.#transactions.end();
    if (rewound.reason !== undefined) open.because(rewound.reason);
    return open.toResource(rewound.state === 'kept' ? 'committed' : 'rolled_back', rewound);
  }

  /** Between executions. */
  #tell(open: OpenTransaction, transaction: Transaction): Transaction {
    this.#options.host.log.append({ type: 'transaction', execution: open.execution, transaction });
    return transaction;
  }

  /** Ends what ran in a worker that is gone, and says what became of its transaction. */
  #killed(death: Death, open: OpenTransaction | undefined, transaction: Transaction | undefined): void {
    const run = this.#runs.current;
    if (run) this.#runs.killed(run, death, transaction);
    else if (open && transaction) this.#tell(open, transaction);
  }

  #beginAnew({ death, reason = '' }: Rewound): void {
    this.#options.host.beginAnew(death ?? { reason: 'crash', message: reason });
  }
}
