import { ReplPoolError } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { Worker } from '../worker/worker.ts';

export interface WarmPoolOptions {
  /** Forks kept ready. */
  readonly minIdle: number;
  fork(): Promise<Worker>;
  /** Called when `warm` has changed. */
  changed(): void;
  readonly log: Logger;
}

/** A fork that failed, or that died before anybody had it, is tried again after so long. */
const RETRY_MS = 500;

/** Forks of one zygote kept ready. A worker leaves the pool once and never comes back. */
export class WarmPool {
  readonly #options: WarmPoolOptions;
  #idle: Worker[] = [];
  #forking = 0;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  hits = 0;
  misses = 0;

  constructor(options: WarmPoolOptions) {
    this.#options = options;
  }

  get warm(): number {
    return this.#idle.length;
  }

  /** Forks until `minIdle` are ready or on their way. */
  fill(): void {
    while (!this.#closed && this.#retry === undefined && this.#idle.length + this.#forking < this.#options.minIdle) {
      this.#forking += 1;
      void this.#forkIdle();
    }
  }

  /**
   * Hands out a warm worker, or forks one.
   * @throws ReplPoolError WORKER_FAILED where the fork fails
   */
  async acquire(): Promise<{ worker: Worker; warm: boolean }> {
    for (let worker = this.#idle.shift(); worker; worker = this.#idle.shift()) {
      if (!worker.alive) continue;
      this.hits += 1;
      this.#options.changed();
      // Not at once: the next fork would compete with the new session's first execution.
      setImmediate(() => this.fill());
      return { worker, warm: true };
    }
    this.misses += 1;
    try {
      return { worker: await this.#options.fork(), warm: false };
    } catch (cause) {
      throw new ReplPoolError('WORKER_FAILED', 'a worker could not be forked', { cause });
    } finally {
      this.fill();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const worker of this.#idle) void worker.kill();
    this.#idle = [];
  }

  async #forkIdle(): Promise<void> {
    try {
      const worker = await this.#options.fork();
      if (this.#closed) return void worker.kill();
      this.#idle.push(worker);
      worker.attach({
        frame: () => undefined,
        output: () => undefined,
        exited: () => {
          this.#idle = this.#idle.filter((each) => each !== worker);
          this.#options.changed();
          this.#fillLater();
        },
      });
      this.#options.changed();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'a warm worker could not be forked');
      this.#fillLater();
    } finally {
      this.#forking -= 1;
    }
  }

  #fillLater(): void {
    if (this.#closed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.fill();
    }, RETRY_MS);
  }
}
