import { type ExecuteRequest, ReplPoolError, type SnapshotKind, type Transaction } from '@replpool/protocol';
import { changedFiles } from './changed-files.ts';
import type { NamespaceNames } from './namespace-names.ts';
import type { SessionWorker } from './session-worker.ts';
import type { Snapshot } from './snapshot.ts';
import { OpenTransaction } from './transaction.ts';
import type { Twin } from './twin.ts';

export interface TransactionsOptions {
  readonly workFolder: string;
  readonly snapshotMaxBytes: number;
  worker(): SessionWorker | undefined;
  /** Ends the worker and goes on as its twin. @throws Error where the twin is gone; the session then begins anew */
  takeOver(twin: Twin): Promise<void>;
  rolledBack(kind: SnapshotKind): void;
  /** The state before can no longer be had. */
  snapshotLost(message: string): void;
}

const BY_PREFERENCE: readonly SnapshotKind[] = ['fork', 'copy'];

/** The transaction of a session, of which there is at most one: its beginning, and what becomes of what was changed in it. */
export class Transactions {
  readonly #options: TransactionsOptions;
  #open: OpenTransaction | undefined;
  /** The one whose snapshot is being restored. */
  #goingBack: OpenTransaction | undefined;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  get current(): OpenTransaction | undefined {
    return this.#open;
  }

  /** Why code cannot run in the transaction that it asks for. */
  refusal(request: ExecuteRequest): ReplPoolError | undefined {
    const policy = request.transaction?.policy;
    if (this.#open?.policy !== 'explicit' || policy === undefined || policy === 'explicit') return undefined;
    const { id: transaction } = this.#open;
    return new ReplPoolError('TRANSACTION_OPEN', `policy ${policy} is not possible in the open transaction`, {
      details: { transaction },
    });
  }

  /** Whether code has to wait for a snapshot. */
  needsSnapshot({ transaction }: ExecuteRequest): boolean {
    return this.#open === undefined && transaction !== undefined && transaction.policy !== 'commit_always';
  }

  /** Takes the snapshot that code asks for. @throws ReplPoolError FORK_UNSAFE, AGENT_TIMEOUT, WORKER_FAILED */
  async begin(execution: string, request: ExecuteRequest, names: NamespaceNames): Promise<void> {
    const { worker, snapshotMaxBytes } = this.#options;
    const { policy = 'commit_always', snapshot: demanded } = request.transaction ?? {};
    const from = worker();
    if (from === undefined) throw new ReplPoolError('WORKER_FAILED', 'the session has no worker at the moment');
    const snapshot = await from.snapshot(demanded === undefined ? BY_PREFERENCE : [demanded], snapshotMaxBytes);
    if (worker() !== from) {
      from.discard(snapshot);
      throw new ReplPoolError('WORKER_FAILED', 'the worker ended while the snapshot was taken');
    }
    const open = new OpenTransaction({ policy, snapshot, names: names.copy(), execution });
    this.#open = open;
    if (snapshot.kind === 'fork') snapshot.twin.onLost = () => this.#lost(open);
  }

  /** Keeps what was changed. */
  commit(): Transaction {
    const open = this.#take();
    this.#options.worker()?.discard(open.snapshot);
    return open.toResource('committed');
  }

  /**
   * Undoes what was changed, as far as that is possible.
   * @returns undefined where the worker died meanwhile, which is the end of the transaction too
   */
  async rollBack(): Promise<Transaction | undefined> {
    const open = this.#open;
    if (open === undefined) return undefined;
    const { worker, workFolder } = this.#options;
    const { snapshot } = open;
    const [handles = [], files, isThere] = await Promise.all([
      worker()?.handles(),
      changedFiles(workFolder, open.beganAt),
      // The worker is not ended for one that never was heard.
      snapshot.kind === 'copy' || snapshot.twin.requests().then(isTrue, isFalse),
    ]);
    if (this.#open !== open) return undefined;
    if (!isThere && !open.isLost) this.#lost(open);
    this.#take();
    if (open.isLost || !isThere) {
      worker()?.discard(snapshot);
      return open.toResource('committed');
    }
    return await this.#goBack(open, [...handles, ...files]);
  }

  /** The worker has died; what was changed in the open transaction is undone. Only where that `survivesWorker`. */
  async rollBackAfterDeath(): Promise<Transaction | undefined> {
    const open = this.#open;
    if (open === undefined) return undefined;
    const files = await changedFiles(this.#options.workFolder, open.beganAt);
    // The session was restarted or has ended.
    if (this.#open !== open) return undefined;
    return await this.#goBack(this.#take(), files);
  }

  /** The namespace is gone, and the session has begun anew or is about to: what the open transaction changed is gone with it. */
  lose(): OpenTransaction | undefined {
    const open = this.#open === undefined ? this.#goingBack : this.#take();
    // One that is about to go on does not, and nobody waits for it any longer.
    if (open?.snapshot.kind === 'fork') open.snapshot.twin[Symbol.dispose]();
    return open;
  }

  async #goBack(open: OpenTransaction, notRolledBack: string[]): Promise<Transaction> {
    const began = performance.now();
    let isUndone = true;
    this.#goingBack = open;
    try {
      await this.#restore(open.snapshot);
      this.#options.rolledBack(open.snapshot.kind);
    } catch (error) {
      // What is left of a copy is the state as it is; of a twin nothing.
      isUndone = open.snapshot.kind === 'fork';
      open.because(`the snapshot could not be restored: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#goingBack = undefined;
    }
    open.rolledBackIn(performance.now() - began);
    const { snapshot } = open;
    const byReference =
      snapshot.kind === 'copy' ? snapshot.notCopied.map(({ name, why }) => `variable ${name}: ${why}`) : [];
    return isUndone ? open.toResource('rolled_back', [...notRolledBack, ...byReference]) : open.toResource('committed');
  }

  async #restore(snapshot: Snapshot): Promise<void> {
    if (snapshot.kind === 'fork') await this.#options.takeOver(snapshot.twin);
    else await this.#options.worker()?.restoreCopy(snapshot);
  }

  #take(): OpenTransaction {
    const open = this.#open;
    if (open === undefined) throw new ReplPoolError('NO_TRANSACTION', 'the session has no open transaction');
    this.#open = undefined;
    if (open.snapshot.kind === 'fork') open.snapshot.twin.onLost = undefined;
    return open;
  }

  #lost(open: OpenTransaction): void {
    const message = 'the frozen copy of the process ended; what the transaction changes is kept';
    open.because(message);
    this.#options.snapshotLost(message);
  }
}

const isTrue = () => true;
const isFalse = () => false;
