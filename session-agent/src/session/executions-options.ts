import type { Limits, ReplPoolError } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';
import type { SessionWorker } from './session-worker.ts';

export interface ExecutionsOptions {
  readonly session: string;
  readonly limits: Limits;
  readonly queueLength: number;
  readonly interruptGraceSeconds: number;
  /** Where large outcomes are kept. */
  readonly outcomesFolder: string;
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
  touch(): void;
}
