import type { SnapshotKind, WorkerDeathReason } from '@replpool/protocol';
import { messageOf } from '@replpool/service';
import { changedFiles } from './changed-files.ts';
import type { Point } from './point.ts';
import type { SessionWorker } from './session-worker.ts';
import type { Undoing } from './timeline.ts';
import type { Rollback } from './transaction.ts';
import type { Twin } from './twin.ts';

/** How the worker died that had the state. */
export interface Death {
  readonly reason: WorkerDeathReason;
  readonly message: string;
}

/** What going back needs of its session. */
export interface RewindHost {
  readonly workFolder: string;
  worker(): SessionWorker | undefined;
  /** From now on there is no way to a later point than this. */
  leave(undoing: Undoing): void;
  /** Ends the worker and goes on as its twin. @returns false where the session has ended or begun anew meanwhile @throws Error where the twin is gone */
  takeOver(twin: Twin): Promise<boolean>;
  /** The state of a point is found to be lost. */
  lost(point: Point): void;
  rolledBack(kind: SnapshotKind): void;
}

/**
 * What became of the session: its state is that of the point (`back`), it is as it was, for that is lost (`kept`), or nothing is left of either
 * (`gone`).
 */
export interface Rewound extends Rollback {
  readonly state: 'back' | 'kept' | 'gone';
  /** Why it is not that of the point. */
  readonly reason?: string;
  readonly death: Death | undefined;
}

/** One way back of a session to an earlier point. There is never a second one beside it: a worker that dies meanwhile is what it would have ended anyway. */
export class Rewind {
  readonly undoing: Undoing;
  readonly #host: RewindHost;
  readonly #done = Promise.withResolvers<void>();
  #death: Death | undefined;

  constructor(undoing: Undoing, host: RewindHost, death: Death | undefined) {
    this.undoing = undoing;
    this.#host = host;
    this.#death = death;
  }

  /** Whether the state to which it leads is there without the worker. */
  get outlivesWorker(): boolean {
    return this.undoing.point.outlivesWorker;
  }

  /** Resolves when it is over; never rejects. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** The worker died before it was ended. */
  died(death: Death): void {
    this.#death = death;
  }

  /**
   * Goes there.
   * @param isOver whether the session has ended or begun anew meanwhile
   * @returns undefined where it has; never rejects
   */
  async run(isOver: () => boolean): Promise<Rewound | undefined> {
    const began = performance.now();
    const rewound = await this.#run(isOver);
    this.#done.resolve();
    if (rewound === undefined) return undefined;
    return { ...rewound, costMs: performance.now() - began, death: this.#death };
  }

  async #run(isOver: () => boolean): Promise<Omit<Rewound, 'costMs' | 'death'> | undefined> {
    const { point } = this.undoing;
    const { snapshot } = point;
    const { workFolder, worker, leave, lost, rolledBack } = this.#host;
    // Beside the rest: a folder of many files takes longer than all of it.
    const files = changedFiles(workFolder, point.takenAt);
    const [handles = [], isThere] = await Promise.all([
      worker()?.handles(),
      // The worker is not ended for one that never was heard.
      snapshot.kind === 'copy' || snapshot.twin.requests().then(isTrue, isFalse),
    ]);
    if (isOver()) return undefined;
    if (!isThere && !point.isLost) lost(point);
    leave(this.undoing);
    if (point.isLost || !isThere) {
      const state = this.#death === undefined ? 'kept' : 'gone';
      return { state, reason: 'the frozen copy of the process is gone', notRolledBack: [] };
    }
    try {
      if (!(await this.#restore())) return undefined;
    } catch (error) {
      if (isOver()) return undefined;
      // What is left of a copy is the state as it is; of a twin nothing.
      const state = snapshot.kind === 'fork' ? 'gone' : 'kept';
      const reason = `the snapshot could not be restored: ${messageOf(error)}`;
      return { state, reason, notRolledBack: [] };
    }
    const changed = await files;
    if (isOver()) return undefined;
    rolledBack(snapshot.kind);
    const byReference =
      snapshot.kind === 'copy' ? snapshot.notCopied.map(({ name, why }) => `variable ${name}: ${why}`) : [];
    return { state: 'back', notRolledBack: [...handles, ...changed, ...byReference] };
  }

  /** @returns false where the session has ended or begun anew meanwhile */
  async #restore(): Promise<boolean> {
    const { snapshot } = this.undoing.point;
    if (snapshot.kind === 'fork') return await this.#host.takeOver(snapshot.twin);
    await this.#host.worker()?.restoreCopy(snapshot);
    return true;
  }
}

const isTrue = () => true;
const isFalse = () => false;
