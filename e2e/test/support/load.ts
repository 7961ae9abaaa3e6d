import { randomUUID } from 'node:crypto';
import type { Execution, Session } from '@replpool/protocol';
import { Refusal, type RouterClient } from './router-client.ts';

export interface LoadOptions {
  readonly client: RouterClient;
  /** The default one, where there is none. */
  readonly pool?: string;
  /** So many at once make sessions, use them and end them, without a pause. */
  readonly clients: number;
  /** Executions of one session. */
  readonly runs: number;
  readonly code: string;
  /** @param askedAt when its creation was sent, the last time, on the clock of `performance.now()` */
  created?(session: Session, askedAt: number): void;
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
    const { pool, runs, code, created, ran } = this.#options;
    let askedAt = performance.now();
    const client = this.#options.client.patient(({ problem: { code } }) => {
      this.retries.set(code, (this.retries.get(code) ?? 0) + 1);
      askedAt = performance.now();
    });
    const session = await client.session({ id: randomUUID(), ...(pool !== undefined && { pool }) });
    created?.(session, askedAt);
    try {
      for (let i = 0; i < runs; i += 1) ran?.(session, await client.run(session.id, code));
      await client.end(session.id);
    } catch (error) {
      if (!(error instanceof Refusal) || error.problem.code !== 'SESSION_LOST') throw error;
      this.lost.push(error.lostReason);
    }
  }
}
