import type { Execution, Isolation, Limits, SessionLostReason, SnapshotKind } from '@replpool/protocol';
import type { SessionVariables } from '../environment/environment.ts';
import type { Worker } from '../worker/worker.ts';
import type { Inherited } from './executions-options.ts';
import type { Session } from './session.ts';

export interface SessionOptions {
  readonly id: string;
  readonly pool: string;
  readonly pod: string;
  readonly template: string;
  readonly owner: string;
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: SessionVariables;
  readonly limits: Limits;
  readonly isolation: Isolation;
  readonly idleTimeoutSeconds: number;
  readonly interruptGraceSeconds: number;
  readonly queueLength: number;
  readonly keepSnapshots: number;
  /** The session of which it is a live copy, and what it has from that. */
  readonly forkedFrom?: string | undefined;
  readonly inherited?: Inherited | undefined;
  readonly onCrash: 'Recover' | 'Lose';
  /** The session's own folder: `work` in it is the code's working folder. */
  readonly directory: string;
  readonly ringBytes: number;
  readonly logBytes: number;
  acquireWorker(): Promise<Worker>;
}

/** Why a session ended: it was deleted, or lost. */
export type SessionEnd = SessionLostReason | 'deleted';

/** What the owner of the sessions is told. */
export interface SessionObserver {
  changed(session: Session): void;
  ended(session: Session, reason: SessionEnd): void;
  /** The worker is gone: removes the session's folder; never rejects. */
  closed(): Promise<void>;
  executed(outcome: Execution): void;
  output(bytes: number): void;
  limitHit(limit: string): void;
  rolledBack(snapshot: SnapshotKind): void;
  /** Something that only the operator of the service can act on. */
  failed(what: string, error: unknown): void;
}
