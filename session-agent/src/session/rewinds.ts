import { ReplPoolError, type SnapshotKind, type Undone } from '@replpool/protocol';
import type { ExecutionInput } from './execution-input.ts';
import type { ExecutionsHost } from './executions-options.ts';
import type { NamespaceNames } from './namespace-names.ts';
import type { Point } from './point.ts';
import { type Death, Rewind, type RewindHost, type Rewound } from './rewind.ts';
import type { Timeline, Undoing } from './timeline.ts';

/** What a session goes back for: code that failed, a client's rollback or undo, or the death of its worker. */
export type RewindCause = 'failure' | 'rollback' | 'undo' | 'death';

export interface RewindsOptions {
  readonly workFolder: string;
  readonly host: ExecutionsHost;
  readonly timeline: Timeline;
  readonly names: NamespaceNames;
  readonly input: ExecutionInput;
  /** Ends a snapshot that nobody goes back to any more. */
  discard(point: Point): void;
  /** The state of a point is found to be lost. */
  lost(point: Point): void;
  rolledBack(kind: SnapshotKind): void;
}

/** The ways back of one session, of which it is on one at most. */
export class Rewinds {
  readonly #options: RewindsOptions;
  /** Of each of them. */
  readonly #host: RewindHost;
  #current: Rewind | undefined;

  constructor(options: RewindsOptions) {
    const { host, timeline, workFolder, lost, rolledBack } = options;
    this.#options = options;
    this.#host = {
      workFolder,
      worker: () => host.worker,
      leave: ({ point }) => timeline.goBack(point),
      takeOver: (twin) => host.takeOver(twin),
      lost,
      rolledBack,
    };
  }

  /** The one that it is on. */
  get current(): Rewind | undefined {
    return this.#current;
  }

  /** Whether there is a state to go on in, once the worker has died. */
  get surviveWorker(): boolean {
    return this.#current?.outlivesWorker === true || this.#options.timeline.recovery !== undefined;
  }

  /** The namespace is gone: nobody waits any longer for an earlier one. */
  abandon(): void {
    const { snapshot } = this.#current?.undoing.point ?? {};
    this.#current = undefined;
    // Stopped or hung it would be waited for.
    if (snapshot?.kind === 'fork') snapshot.twin[Symbol.dispose]();
  }

  /**
   * Goes back, and says where the session is then.
   * @returns undefined where it has ended or begun anew meanwhile; never rejects
   */
  async go(undoing: Undoing, cause: RewindCause, death?: Death): Promise<Rewound | undefined> {
    const { host, timeline, discard } = this.#options;
    const rewind = new Rewind(undoing, this.#host, death);
    this.#current = rewind;
    const isOver = () => this.#current !== rewind || host.gone !== undefined;
    const rewound = await rewind.run(isOver);
    if (isOver()) return undefined;
    this.#current = undefined;
    if (rewound === undefined) return undefined;
    if (rewound.state === 'back') this.#arrived(undoing, cause, rewound);
    // Where it is lost its process may hang yet.
    else discard(undoing.point);
    if (rewound.state === 'gone') timeline.clear();
    return rewound;
  }

  /** What became of an undo that a client asked for. @throws ReplPoolError NO_SNAPSHOT, WORKER_FAILED */
  undone({ executions }: Undoing, rewound: Rewound | undefined): Undone {
    if (rewound?.state === 'kept') throw noSnapshot(rewound.reason ?? 'it is lost', this.#options.timeline.undoable);
    if (rewound?.state !== 'back') {
      throw new ReplPoolError('WORKER_FAILED', 'the session begins anew', {
        why: rewound?.reason ?? 'it was restarted, or its worker died',
      });
    }
    const { costMs, notRolledBack } = rewound;
    return {
      executions: [...executions],
      stateEpoch: this.#options.host.stateEpoch,
      costMs,
      notRolledBack: [...notRolledBack],
    };
  }

  #arrived({ point, executions }: Undoing, cause: RewindCause, { death }: Rewound): void {
    const { host, names, input } = this.#options;
    // Of a process that is gone nobody waits for an answer.
    if (point.snapshot.kind === 'fork') input.clear();
    const lost = names.goBack(point.names, `the session went back to the state before (${death?.reason ?? cause})`);
    const wasAsked = cause === 'failure' || cause === 'rollback';
    host.wentBack({
      reason: cause === 'undo' ? 'undo' : death?.reason,
      losesAcknowledged: !wasAsked && executions.length > 0,
      lost,
    });
  }
}

/** There is no way back to where a client wants to go. */
export function noSnapshot(why: string, undoable: number): ReplPoolError {
  return new ReplPoolError('NO_SNAPSHOT', `the session cannot go back so far: ${why}`, { details: { undoable } });
}
