import type { Execution, Session as SessionResource, Transaction, WorkerDied } from '@replpool/protocol';
import type { EventLog } from './event-log.ts';
import type { ExecutionHistory } from './execution-history.ts';
import type { ExecutionRun } from './execution-run.ts';
import { notRun } from './not-run.ts';
import type { Death } from './rewind.ts';
import type { SessionObserver } from './session-options.ts';
import { shortOutcome } from './short-outcome.ts';

const HOW_AFTER_DEATH =
  'Look at the `state` of the session: one that comes back has an empty namespace and a higher `stateEpoch`, or, by a snapshot, the state before.';

/** How the executions of a session end: told as events, kept by their ids, and added up. */
export class ExecutionOutcomes {
  readonly #log: EventLog;
  readonly #history: ExecutionHistory;
  readonly #observer: SessionObserver;
  #usage: SessionResource['usage'] = { cpuMs: 0, wallMs: 0, maxRssBytes: 0 };

  constructor(log: EventLog, history: ExecutionHistory, observer: SessionObserver) {
    this.#log = log;
    this.#history = history;
    this.#observer = observer;
  }

  /** The sum of all times, and the highest memory of one. */
  get usage(): SessionResource['usage'] {
    return this.#usage;
  }

  /** Its turn has come, and it cannot be run. */
  refused(run: ExecutionRun, why: unknown): void {
    run.error = notRun(why);
    this.#log.append({ type: 'error', execution: run.id, error: run.error });
  }

  /** Its worker is gone. */
  killed(run: ExecutionRun, { reason, message }: Death): void {
    const error: WorkerDied = { code: 'WORKER_DIED', reason, message, how: HOW_AFTER_DEATH };
    run.error = error;
    run.undone();
    this.#log.append({ type: 'error', execution: run.id, error });
  }

  /** What became of the transaction that it is in. */
  tell(run: ExecutionRun, transaction: Transaction): void {
    run.transaction = transaction;
    this.#log.append({ type: 'transaction', execution: run.id, transaction });
  }

  /** It has ended. @returns what is kept of it */
  keep(run: ExecutionRun, status: Execution['status']): Execution {
    const outcome = this.#remember(run, run.finish(status));
    this.#usage = {
      cpuMs: this.#usage.cpuMs + outcome.usage.cpuMs,
      wallMs: this.#usage.wallMs + outcome.usage.wallMs,
      maxRssBytes: Math.max(this.#usage.maxRssBytes, outcome.usage.maxRssBytes),
    };
    return outcome;
  }

  /** The last that is said of it; whoever waits for it has its answer. */
  announce(run: ExecutionRun, outcome: Execution): void {
    try {
      this.#log.append({ type: 'finished', execution: run.id, status: outcome.status, outcome });
      this.#observer.executed(outcome);
    } finally {
      run.settle(outcome);
    }
  }

  #remember(run: ExecutionRun, outcome: Execution): Execution {
    const lastSeq = this.#log.lastSeq + 1;
    try {
      this.#history.finish(run, outcome, lastSeq);
      return outcome;
    } catch (error) {
      const short = shortOutcome(outcome, error);
      this.#history.finish(run, short, lastSeq);
      return short;
    }
  }
}
