import type { Limits, ReplPoolError } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';
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
  /** Ends the worker and goes on as its twin. @throws Error where the twin is gone; the session then begins anew */
  takeOver(twin: Twin): Promise<void>;
  touch(): void;
}
