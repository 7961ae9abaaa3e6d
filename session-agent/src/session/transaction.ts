import { randomUUID } from 'node:crypto';
import type { Transaction, TransactionPolicy } from '@replpool/protocol';
import type { NamespaceNames } from './namespace-names.ts';
import type { Snapshot } from './snapshot.ts';

/** What a transaction was before its first execution, and how it is told of. */
export class OpenTransaction {
  readonly id: string = randomUUID();
  readonly policy: TransactionPolicy;
  readonly snapshot: Snapshot;
  /** The names that the namespace had. */
  readonly names: NamespaceNames;
  readonly beganAt = new Date();
  #execution: string;
  #ended = 0;
  #rollbackMs = 0;
  #reason: string | undefined;

  constructor(options: { policy: TransactionPolicy; snapshot: Snapshot; names: NamespaceNames; execution: string }) {
    this.policy = options.policy;
    this.snapshot = options.snapshot;
    this.names = options.names;
    this.#execution = options.execution;
    this.#reason = options.snapshot.reason;
  }

  /** The execution that was the last in it. */
  get execution(): string {
    return this.#execution;
  }

  /** Executions of it that have ended, and whose outcomes clients know. */
  get ended(): number {
    return this.#ended;
  }

  /** An execution of it has ended. */
  joined(execution: string): void {
    this.#execution = execution;
    this.#ended += 1;
  }

  /** Whether there is no state to go back to. */
  get isLost(): boolean {
    return this.snapshot.kind === 'fork' && this.snapshot.twin.isOver;
  }

  /** Whether there is a state to go back to, once its worker has died. */
  get survivesWorker(): boolean {
    return this.snapshot.kind === 'fork' && !this.snapshot.twin.isOver;
  }

  /** Whether others see the state before, until it is committed. */
  get isIsolated(): boolean {
    return this.policy === 'commit_on_success';
  }

  /** A rollback took so long. */
  rolledBackIn(ms: number): void {
    this.#rollbackMs = ms;
  }

  /** Something went otherwise than was asked for. */
  because(reason: string): void {
    this.#reason = reason;
  }

  toResource(outcome: Transaction['outcome'], notRolledBack: readonly string[] = []): Transaction {
    const { id, policy, snapshot } = this;
    return {
      id,
      policy,
      outcome,
      snapshot: snapshot.kind,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      costMs: snapshot.costMs + this.#rollbackMs,
      notRolledBack: [...notRolledBack],
    };
  }
}

/** A request that names `commit_always`: nothing was done for it. */
export function withoutSnapshot(): Transaction {
  return {
    id: randomUUID(),
    policy: 'commit_always',
    outcome: 'committed',
    snapshot: 'none',
    costMs: 0,
    notRolledBack: [],
  };
}
