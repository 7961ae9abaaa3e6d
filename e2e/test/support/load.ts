import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Execution, Session } from '@replpool/protocol';
import { Refusal, type RouterClient } from './router-client.ts';

/** A client that waited for as long as `Retry-After` says would meet fewer changes. */
const RETRY_MS = 50;

export interface LoadOptions {
  readonly client: RouterClient;
  /** So many at once make sessions, use them and end them, without a pause. */
  readonly clients: number;
  /** Executions of one session. */
  readonly runs: number;
  readonly code: string;
  created?(session: Session): void;
  ran?(session: Session, execution: Execution): void;
}

/** Users who take no for an answer only where the registry says that they shall come again, or that their session is lost. */
export class Load implements AsyncDisposable {
  readonly #options: LoadOptions;
  readonly #running: Promise<unknown>;
  readonly #failures: unknown[] = [];
  #stopped = false;
  /** Why sessions were lost, one for each. */
  readonly lost: unknown[] = [];
  /** How often a request was to be repeated, by the error's code. */
  readonly retries = new Map<string, number>();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.clients }, () => this.#client()));
  }

  /** @throws what a client met that no client should */
  check(): void {
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, this.#failures.join('\n'));
  }

  /** Resolves when all clients are through with what they have begun. @throws as `check` */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #client(): Promise<void> {
    try {
      while (!this.#stopped && this.#failures.length === 0) await this.#session();
    } catch (error) {
      this.#failures.push(error);
    }
  }

  async #session(): Promise<void> {
    const { client, runs, code, created, ran } = this.#options;
    const id = randomUUID();
    const session = await this.#asked(() => client.session({ id }));
    created?.(session);
    try {
      for (let i = 0; i < runs; i += 1) {
        const execution = randomUUID();
        ran?.(session, await this.#asked(() => client.run(session.id, code, execution)));
      }
      await this.#asked(() => client.end(session.id));
    } catch (error) {
      if (!(error instanceof Refusal) || error.problem.code !== 'SESSION_LOST') throw error;
      this.lost.push(error.lostReason);
    }
  }

  #asked<T>(ask: () => Promise<T>): Promise<T> {
    return insist(ask, ({ problem: { code } }) => this.retries.set(code, (this.retries.get(code) ?? 0) + 1));
  }
}

/** Asks until the answer is not to come again. @param retried called with each that is */
export async function insist<T>(ask: () => Promise<T>, retried?: (refusal: Refusal) => void): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Refusal) || !isToComeAgain(error)) throw error;
      retried?.(error);
    }
    await sleep(RETRY_MS);
  }
}

function isToComeAgain({ problem: { status, retryable }, retryAfter }: Refusal): boolean {
  return retryable && (status === 429 || status === 503) && retryAfter !== null;
}
