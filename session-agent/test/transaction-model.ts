import type { Execution, SnapshotKind, TransactionPolicy } from '@replpool/protocol';
import type { Piece, Told } from './reference.ts';
import type { Statement } from './statements.ts';

/** A piece that has run, and how far it came: `at` of its statements had an effect. */
export interface Ran {
  readonly id: string;
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

/** An execution whose effects stand; of one that only looked there are none. */
interface Standing {
  readonly id: string;
  readonly piece: Piece | undefined;
}

interface Open {
  readonly base: readonly Standing[];
  /** When it began. */
  readonly undoable: Undoable;
  readonly ran: Ran[];
  /** Executions in it that have ended: their outcomes are acknowledged. */
  ended: number;
}

/**
 * So many executions can be undone. Whether the snapshot of one that was rolled back has taken the place of an older one is the session's
 * affair: until it was asked the number lies between two.
 */
interface Undoable {
  readonly least: number;
  readonly most: number;
}

/** What a session has to be: the pieces whose effects stand, the open transaction, and what clients are told. */
export class TransactionModel {
  readonly #kind: SnapshotKind;
  readonly #keepSnapshots: number;
  #open: Open | undefined;
  #standing: readonly Standing[] = [];
  #undoable: Undoable = { least: 0, most: 0 };
  stateEpoch = 1;
  executionCount = 0;
  /** Of the worker, by which acknowledged state went, since the session's last restart: the third opens the circuit. */
  deaths = 0;
  readonly history: Entry[] = [];

  /** @param keepSnapshots for undo; with a copy there is no model of it */
  constructor(kind: SnapshotKind, keepSnapshots = 0) {
    this.#kind = kind;
    this.#keepSnapshots = keepSnapshots;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** The pieces that are to be seen, in their order. */
  get standing(): readonly Piece[] {
    return this.#standing.flatMap(({ piece }) => piece ?? []);
  }

  /** Outside of transactions. */
  get undoable(): Undoable {
    return this.#undoable;
  }

  /** The session said how many executions can be undone. */
  learned(undoable: number): void {
    this.#undoable = { least: undoable, most: undoable };
  }

  refuses(policy: TransactionPolicy | 'none'): boolean {
    return this.#open !== undefined && policy !== 'none' && policy !== 'explicit';
  }

  /** Whether the death of the worker in such an execution ends the namespace. */
  isLostByDeath(policy: TransactionPolicy | 'none'): boolean {
    if (this.#kind === 'copy') return true;
    return this.#keepSnapshots === 0 && !this.#open && (policy === 'none' || policy === 'commit_always');
  }

  /** A piece has ended as `told`. @returns what is told of its transaction */
  ended(ran: Ran, policy: TransactionPolicy | 'none', { status }: Pick<Told, 'status'>): Entry['outcome'] {
    this.executionCount += 1;
    if (status === 'killed') return this.#died(policy);
    if (policy === 'explicit') this.#open ??= { base: this.#standing, undoable: this.#undoable, ran: [], ended: 0 };
    if (this.#open !== undefined) {
      this.#open.ran.push(ran);
      this.#stands(ran);
      return 'open';
    }
    const isUndone = status !== 'ok' && (policy === 'commit_on_success' || policy === 'rollback_on_failure');
    if (isUndone) {
      this.#standing = this.#without(this.#standing, [ran]);
      this.#undoable = this.#withoutLast(1, this.#undoable);
    } else this.#stands(ran);
    if (policy === 'none') return undefined;
    return isUndone ? 'rolled_back' : 'committed';
  }

  /** A question that is an execution and changes nothing. */
  read(id: string): Entry['outcome'] {
    this.#stands({ id, piece: undefined });
    return this.#open && 'open';
  }

  commit(): void {
    if (this.#open !== undefined) this.#undoable = this.#withMore(this.#open.ended, this.#open.undoable);
    this.#open = undefined;
  }

  rollBack(): void {
    if (this.#open === undefined) return;
    this.#standing = this.#without(this.#open.base, this.#open.ran);
    this.#undoable = this.#withoutLast(this.#open.ended, this.#open.undoable);
    this.#open = undefined;
  }

  /** @param executions not more than are undoable. @returns their ids, the latest first */
  undo(executions: number): string[] {
    const at = this.#standing.length - executions;
    const undone = this.#standing.slice(at).map(({ id }) => id);
    this.#standing = this.#standing.slice(0, at);
    const { least, most } = this.#undoable;
    this.#undoable = { least: least - executions, most: most - executions };
    this.stateEpoch += 1;
    return undone.reverse();
  }

  /** The worker has died while nothing ran. @returns whether the namespace is lost */
  diedIdle(): boolean {
    if (this.#open === undefined && this.#undoable.most > 0) {
      this.undo(1);
      this.deaths += 1;
      return false;
    }
    const isLost = this.#kind === 'copy' || this.#open === undefined;
    if (isLost) this.#lost();
    else this.#died('none');
    return isLost;
  }

  /** All is gone, and the session begins anew. */
  beginAnew(): void {
    this.#open = undefined;
    this.#standing = [];
    this.#undoable = { least: 0, most: 0 };
    this.stateEpoch += 1;
    this.executionCount = 0;
  }

  #stands(execution: Standing): void {
    this.#standing = [...this.#standing, execution];
    if (this.#open === undefined) this.#undoable = this.#withMore(1, this.#undoable);
    else this.#open.ended += 1;
  }

  #withMore(executions: number, { least, most }: Undoable): Undoable {
    const more = (undoable: number) => Math.min(this.#keepSnapshots, undoable + executions);
    return { least: more(least), most: more(most) };
  }

  /** Each had a snapshot, and went with it. */
  #withoutLast(executions: number, { least, most }: Undoable): Undoable {
    return { least: Math.max(0, Math.min(this.#keepSnapshots, least + executions) - executions), most };
  }

  #died(policy: TransactionPolicy | 'none'): Entry['outcome'] {
    const isTold = this.#open !== undefined || (policy !== 'none' && policy !== 'commit_always');
    if (this.isLostByDeath(policy)) this.#lost();
    else {
      const { base, undoable, ended } = this.#open ?? { base: this.#standing, undoable: this.#undoable, ended: 0 };
      if (ended > 0) {
        this.stateEpoch += 1;
        this.deaths += 1;
      }
      this.#standing = base;
      this.#undoable = this.#withoutLast(ended + 1, undoable);
      this.#open = undefined;
    }
    return isTold ? 'rolled_back' : undefined;
  }

  #lost(): void {
    this.beginAnew();
    this.deaths += 1;
  }

  /** A fork undoes all of it; a copy only what variables reach. */
  #without(base: readonly Standing[], undone: readonly Ran[]): readonly Standing[] {
    if (this.#kind === 'fork') return base;
    const left = undone.map(({ id, piece, kinds, at }) => ({
      id,
      piece: { statements: piece.statements.filter((_, index) => index < at && kinds[index] === 'hidden') },
    }));
    return [...base, ...left.filter(({ piece }) => piece.statements.length > 0)];
  }
}
