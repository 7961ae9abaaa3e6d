import type { Execution, SnapshotKind, TransactionPolicy } from '@replpool/protocol';
import type { Piece, Told } from './reference.ts';
import type { Statement } from './statements.ts';

/** A piece that has run, and how far it came: `at` of its statements had an effect. */
export interface Ran {
  readonly piece: Piece;
  readonly kinds: readonly Statement['kind'][];
  readonly at: number;
}

/** What the history has to say of an execution. */
export interface Entry {
  readonly id: string;
  readonly status: Execution['status'];
  readonly outcome: 'committed' | 'rolled_back' | 'open' | undefined;
}

interface Open {
  readonly base: readonly Piece[];
  readonly ran: Ran[];
  /** Executions in it that have ended: their outcomes are acknowledged. */
  ended: number;
}

/** What a session has to be: the pieces whose effects stand, the open transaction, and what clients are told. */
export class TransactionModel {
  readonly #kind: SnapshotKind;
  #open: Open | undefined;
  standing: readonly Piece[] = [];
  stateEpoch = 1;
  executionCount = 0;
  /** Of the worker, outside of transactions, since the session's last restart: the third opens the circuit. */
  deaths = 0;
  readonly history: Entry[] = [];

  constructor(kind: SnapshotKind) {
    this.#kind = kind;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  refuses(policy: TransactionPolicy | 'none'): boolean {
    return this.#open !== undefined && policy !== 'none' && policy !== 'explicit';
  }

  /** Whether the death of the worker in such an execution ends the namespace. */
  isLostByDeath(policy: TransactionPolicy | 'none'): boolean {
    return this.#kind === 'copy' || (!this.#open && (policy === 'none' || policy === 'commit_always'));
  }

  /** A piece has ended as `told`. @returns what is told of its transaction */
  ended(ran: Ran, policy: TransactionPolicy | 'none', { status }: Pick<Told, 'status'>): Entry['outcome'] {
    this.executionCount += 1;
    if (status === 'killed') return this.#died(policy);
    if (policy === 'explicit') this.#open ??= { base: this.standing, ran: [], ended: 0 };
    if (this.#open !== undefined) {
      this.#open.ran.push(ran);
      this.#open.ended += 1;
      this.standing = [...this.standing, ran.piece];
      return 'open';
    }
    const isUndone = status !== 'ok' && (policy === 'commit_on_success' || policy === 'rollback_on_failure');
    this.standing = isUndone ? this.#without(this.standing, [ran]) : [...this.standing, ran.piece];
    if (policy === 'none') return undefined;
    return isUndone ? 'rolled_back' : 'committed';
  }

  /** A question that is an execution and changes nothing. */
  read(): Entry['outcome'] {
    if (this.#open === undefined) return undefined;
    this.#open.ended += 1;
    return 'open';
  }

  commit(): void {
    this.#open = undefined;
  }

  rollBack(): void {
    if (this.#open === undefined) return;
    this.standing = this.#without(this.#open.base, this.#open.ran);
    this.#open = undefined;
  }

  /** The worker has died while nothing ran. @returns whether the namespace is lost */
  diedIdle(): boolean {
    const isLost = this.isLostByDeath('none');
    this.#died('none');
    return isLost;
  }

  /** All is gone, and the session begins anew. */
  beginAnew(): void {
    this.#open = undefined;
    this.standing = [];
    this.stateEpoch += 1;
    this.executionCount = 0;
  }

  #died(policy: TransactionPolicy | 'none'): Entry['outcome'] {
    const isTold = this.#open !== undefined || (policy !== 'none' && policy !== 'commit_always');
    if (this.isLostByDeath(policy)) {
      this.beginAnew();
      this.deaths += 1;
    } else {
      if (this.#open !== undefined && this.#open.ended > 0) this.stateEpoch += 1;
      this.standing = this.#open?.base ?? this.standing;
      this.#open = undefined;
    }
    return isTold ? 'rolled_back' : undefined;
  }

  /** A fork undoes all of it; a copy only what variables reach. */
  #without(base: readonly Piece[], undone: readonly Ran[]): readonly Piece[] {
    if (this.#kind === 'fork') return base;
    const left = undone.map(({ piece, kinds, at }) => ({
      statements: piece.statements.filter((_, index) => index < at && kinds[index] === 'hidden'),
    }));
    return [...base, ...left.filter(({ statements }) => statements.length > 0)];
  }
}
