import type { NamespaceNames } from './namespace-names.ts';
import type { Snapshot } from './snapshot.ts';

/** A moment between two executions to which a session can go back. */
export class Point {
  readonly snapshot: Snapshot;
  /** The names that the namespace had. */
  readonly names: NamespaceNames;
  readonly takenAt = new Date();

  constructor(snapshot: Snapshot, names: NamespaceNames) {
    this.snapshot = snapshot;
    this.names = names.copy();
  }

  /** Whether there is no state to go back to any more. */
  get isLost(): boolean {
    return this.snapshot.kind === 'fork' && this.snapshot.twin.isGone;
  }

  /** Whether there is a state to go back to, once its worker has died. */
  get outlivesWorker(): boolean {
    return this.snapshot.kind === 'fork' && !this.snapshot.twin.isGone;
  }
}
