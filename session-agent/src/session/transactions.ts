import { type ExecuteRequest, ReplPoolError, type SnapshotKind, type Transaction } from '@replpool/protocol';
import type { NamespaceNames } from './namespace-names.ts';
import { Point } from './point.ts';
import type { SessionWorker } from './session-worker.ts';
import type { Timeline } from './timeline.ts';
import { OpenTransaction } from './transaction.ts';

export interface TransactionsOptions {
  readonly snapshotMaxBytes: number;
  worker(): SessionWorker | undefined;
  /** A state that could be gone back to is lost. */
  snapshotLost(message: string): void;
}

const BY_PREFERENCE: readonly SnapshotKind[] = ['fork', 'copy'];

/** What is undone, and what kept: takes the snapshots that executions need, and knows the open transaction, of which there is at most one. */
export class Transactions {
  readonly #timeline: Timeline;
  readonly #options: TransactionsOptions;
  #open: OpenTransaction | undefined;

  constructor(timeline: Timeline, options: TransactionsOptions) {
    this.#timeline = timeline;
    this.#options = options;
  }

  get current(): OpenTransaction | undefined {
    return this.#open;
  }

  /** Why code cannot run in the transaction that it asks for. */
  refusal(request: ExecuteRequest): ReplPoolError | undefined {
    const policy = request.transaction?.policy;
    if (policy === undefined || policy === 'explicit') return undefined;
    return this.refusalOf(`policy ${policy}`);
  }

  /** Why something is not possible now: an explicit transaction is open. */
  refusalOf(what: string): ReplPoolError | undefined {
    if (this.#open?.policy !== 'explicit') return undefined;
    const { id: transaction } = this.#open;
    return new ReplPoolError('TRANSACTION_OPEN', `${what} is not possible in the open transaction`, {
      details: { transaction },
    });
  }

  /** Whether code has to wait for a snapshot. */
  needsSnapshot(request: ExecuteRequest): boolean {
    return this.#timeline.isKept || this.#opens(request);
  }

  /** Takes the snapshot that code asks for, or that is kept for undo. @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED */
  async begin(execution: string, request: ExecuteRequest, names: NamespaceNames): Promise<void> {
    const { policy = 'commit_always', snapshot: demanded } = request.transaction ?? {};
    const isOpening = this.#opens(request);
    const kinds: readonly SnapshotKind[] = !isOpening ? ['fork'] : demanded === undefined ? BY_PREFERENCE : [demanded];
    const point = await this.#take(kinds, names).catch((error: unknown) => {
      // What cannot be undone later can run all the same.
      if (isOpening || !(error instanceof ReplPoolError) || error.code !== 'FORK_UNSAFE') throw error;
    });
    if (point === undefined) return;
    this.#timeline.begin(point);
    const open = isOpening ? new OpenTransaction(policy, point, execution) : undefined;
    if (open !== undefined) {
      this.#open = open;
      this.#timeline.hold(point);
    }
    if (point.snapshot.kind === 'fork') point.snapshot.twin.onLost = () => this.lost(point);
    // It may have been killed before anybody listened.
    if (point.isLost) this.lost(point);
  }

  /** The execution for which a snapshot was taken does not run. */
  cancel(execution: string): void {
    if (this.#open?.isBegunBy(execution)) this.end();
    this.#timeline.cancel();
  }

  /** An execution has ended, and what it changed stands. @returns what is told of its transaction; undefined where it is in none */
  ran(execution: string): Transaction | undefined {
    const open = this.#open;
    open?.joined(execution);
    const isOver = open !== undefined && open.policy !== 'explicit';
    if (isOver) this.#open = undefined;
    this.#timeline.ran(execution);
    if (isOver) this.#timeline.release();
    return open?.toResource(isOver ? 'committed' : 'open');
  }

  /** What is changed in the open transaction stands from now on, or is gone: it is over. */
  end(): OpenTransaction | undefined {
    const open = this.#open;
    this.#open = undefined;
    this.#timeline.release();
    return open;
  }

  #opens({ transaction }: ExecuteRequest): boolean {
    return this.#open === undefined && transaction !== undefined && transaction.policy !== 'commit_always';
  }

  async #take(kinds: readonly SnapshotKind[], names: NamespaceNames): Promise<Point> {
    const { worker, snapshotMaxBytes } = this.#options;
    const from = worker();
    if (from === undefined) throw new ReplPoolError('WORKER_FAILED', 'the session has no worker at the moment');
    const snapshot = await from.snapshot(kinds, snapshotMaxBytes);
    if (worker() === from) return new Point(snapshot, names);
    from.discard(snapshot);
    throw new ReplPoolError('WORKER_FAILED', 'the worker ended while the snapshot was taken');
  }

  /** The state of a point is lost. */
  lost(point: Point): void {
    const worker = this.#options.worker();
    worker?.twinLost();
    // Its process may hang, and is the worker's to end.
    worker?.discard(point.snapshot);
    if (this.#open?.point === point) {
      const message = 'the frozen copy of the process is gone: the transaction can no longer be rolled back';
      this.#open.because(message);
      this.#options.snapshotLost(message);
    } else this.#options.snapshotLost('a frozen copy of the process is gone: fewer executions can be undone');
  }
}
