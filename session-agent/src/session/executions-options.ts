import type { Limits, ReplPoolError, WorkerDeathReason } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';
import type { LostNames, NamespaceNames } from './namespace-names.ts';
import type { Death } from './rewind.ts';
import type { SessionWorker } from './session-worker.ts';
import type { Twin } from './twin.ts';

export interface ExecutionsOptions {
  readonly session: string;
  readonly limits: Limits;
  readonly queueLength: number;
  readonly interruptGraceSeconds: number;
  /** Where large outcomes are kept. */
  readonly outcomesFolder: string;
  readonly workFolder: string;
  /** Before so many of the last executions a snapshot is kept. */
  readonly keepSnapshots: number;
  /** What the namespace has from the session of which this is a live copy. */
  readonly inherited?: Inherited | undefined;
}

/** What a live copy of a session begins with. */
export interface Inherited {
  /** The number of the last execution. */
  readonly count: number;
  readonly names: NamespaceNames;
}

/** A session goes on in an earlier state. */
export interface WentBack {
  /** Why, where that is no matter of the execution's alone. */
  readonly reason: WorkerDeathReason | 'undo' | undefined;
  /** Whether clients were told of the end of executions whose changes are gone, and did not ask for it in a transaction. */
  readonly losesAcknowledged: boolean;
  readonly lost: LostNames;
}

/** What executions need of their session. */
export interface ExecutionsHost {
  readonly log: EventLog;
  /** Runs the code; undefined while there is none, and then executions wait in the queue. */
  readonly worker: SessionWorker | undefined;
  readonly stateEpoch: number;
  readonly circuitOpenMs: number;
  /** What an ended session answers. */
  readonly gone: ReplPoolError | undefined;
  /** An execution goes to the worker, or the last one has ended. */
  setBusy(busy: boolean): void;
  /** Ends the worker and goes on as its twin. @returns false where the session has ended or begun anew meanwhile @throws Error where the twin is gone */
  takeOver(twin: Twin): Promise<boolean>;
  /** The session is as it was at an earlier point. */
  wentBack(back: WentBack): void;
  /** Neither the worker is left nor what was to take its place. */
  beginAnew(death: Death): void;
  touch(): void;
}
