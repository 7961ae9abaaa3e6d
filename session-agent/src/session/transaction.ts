import { randomUUID } from 'node:crypto';
import type { Transaction, TransactionPolicy } from '@replpool/protocol';
import type { Point } from './point.ts';

/** What came of going back to the state before. */
export interface Rollback {
  /** Of it, in milliseconds. */
  readonly costMs: number;
  readonly notRolledBack: readonly string[];
}

/** A transaction from its first execution on, and how it is told of. */
export class OpenTransaction {
  readonly id: string = randomUUID();
  readonly policy: TransactionPolicy;
  /** The state before its first execution. */
  readonly point: Point;
  readonly #first: string;
  #execution: string;
  #reason: string | undefined;

  constructor(policy: TransactionPolicy, point: Point, execution: string) {
    this.policy = policy;
    this.point = point;
    this.#first = execution;
    this.#execution = execution;
    this.#reason = point.snapshot.reason;
  }

  /** The execution that was the last in it. */
  get execution(): string {
    return this.#execution;
  }

  /** Whether an execution opened it. */
  isBegunBy(execution: string): boolean {
    return this.#first === execution;
  }

  /** An execution of it has ended. */
  joined(execution: string): void {
    this.#execution = execution;
  }

  /** Whether others see the state before, until it is committed. */
  get isIsolated(): boolean {
    return this.policy === 'commit_on_success';
  }

  /** Something went otherwise than was asked for. */
  because(reason: string): void {
    this.#reason = reason;
  }

  toResource(outcome: Transaction['outcome'], { costMs, notRolledBack }: Rollback = NOTHING_ROLLED_BACK): Transaction {
    const { id, policy } = this;
    const { snapshot } = this.point;
    return {
      id,
      policy,
      outcome,
      snapshot: snapshot.kind,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      costMs: snapshot.costMs + costMs,
      notRolledBack: [...notRolledBack],
    };
  }
}

const NOTHING_ROLLED_BACK: Rollback = { costMs: 0, notRolledBack: [] };

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
