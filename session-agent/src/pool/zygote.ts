import { ReplPoolError } from '@replpool/protocol';
import { type Backoff, backoffMs } from '@replpool/service';
import type { Logger } from 'pino';
import type { Cgroups } from '../cgroup/cgroups.ts';
import { describeExit, type ExitStatus } from '../worker/exit.ts';
import type { WorkerHub } from '../worker/hub.ts';
import type { Launcher } from '../worker/launcher.ts';
import { Worker } from '../worker/worker.ts';
import type { Template } from './template.ts';
import { WarmPool } from './warm-pool.ts';

/** A zygote that died is started again after so long, and after longer each time until it has warmed. */
const RESTART: Backoff = { firstMs: 1000, longestMs: 60_000, jitter: 0 };

export interface ZygoteOptions {
  readonly template: Template;
  readonly launcher: Launcher;
  readonly hub: WorkerHub;
  readonly cgroups: Cgroups | undefined;
  readonly runDirectory: string;
  readonly minIdle: number;
  readonly log: Logger;
  /** Called on every change of `state`. */
  changed(): void;
  /** Called when it could not warm up. */
  failed(message: string): void;
  /** Called when there are more or fewer warm forks. */
  capacityChanged(): void;
}

/** The zygote of one template, started again when it dies, and the warm forks of it. */
export class Zygote {
  readonly template: Template;
  readonly pool: WarmPool;
  readonly #options: ZygoteOptions;
  #state: 'warming' | 'ready' | 'failed' | 'closed' = 'warming';
  #failure = '';
  #generation = 0;
  #hasWarmed = false;
  /** Deaths since it was last warm. */
  #deaths = 0;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: ZygoteOptions) {
    this.#options = options;
    this.template = options.template;
    const { launcher, hub, cgroups, runDirectory, minIdle, log, capacityChanged: changed } = options;
    this.pool = new WarmPool({
      minIdle,
      log,
      changed,
      fork: () => Worker.fork({ launcher, hub, cgroups, zygote: this.#name, runDirectory, log }),
    });
    this.#start();
  }

  get state(): 'warming' | 'ready' | 'failed' | 'closed' {
    return this.#state;
  }

  /** Why it could not warm; empty while it could. */
  get failure(): string {
    return this.#failure;
  }

  /** @throws ReplPoolError WARMING, WORKER_FAILED */
  async acquire(): Promise<{ worker: Worker; warm: boolean }> {
    const { name } = this.template;
    if (this.#state === 'failed') {
      throw new ReplPoolError('WORKER_FAILED', `template ${name} could not warm up`, {
        why: this.#failure,
        how: 'Correct `preload`, `requirements` or `warmupCode` of the ReplPool.',
      });
    }
    const warming = (cause?: unknown) =>
      new ReplPoolError('WARMING', `template ${name} is still warming up`, { cause });
    if (this.#state !== 'ready') throw warming();
    try {
      return await this.pool.acquire();
    } catch (error) {
      // It died meanwhile, and the fork with it.
      if (this.state === 'warming') throw warming(error);
      throw error;
    }
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#restart);
    this.pool.close();
  }

  get #name(): string {
    return `${this.template.name}-${this.#generation}`;
  }

  #start(): void {
    const { launcher, template, log } = this.#options;
    this.#generation += 1;
    launcher.startZygote(
      this.#name,
      { preload: template.preload, warmupCode: template.warmupCode, env: template.env, cpu: template.cpu },
      {
        ready: (durationMs) => {
          log.info({ template: template.name, durationMs }, 'zygote is warm');
          this.#hasWarmed = true;
          this.#deaths = 0;
          this.#goTo('ready');
          this.pool.fill();
        },
        failed: (message) => this.#failed(message),
        exited: (status) => this.#exited(status),
      },
    );
  }

  #failed(message: string): void {
    this.#failure = message;
    this.#options.log.error({ template: this.template.name, message }, 'zygote could not warm up');
    this.#goTo('failed');
    this.#options.failed(message);
  }

  #exited(status: ExitStatus): void {
    const { log } = this.#options;
    if (this.#state === 'warming') this.#failed(`it ended ${describeExit(status)} while it warmed up`);
    else if (this.#state === 'ready') {
      log.warn({ template: this.template.name, status }, 'zygote died and is replaced');
      this.#goTo('warming');
    }
    // What failed in Python the first time fails again; a signal, or a failure after it was warm, may pass.
    if (this.#state === 'closed' || (status.signal === undefined && !this.#hasWarmed)) return;
    const delay = backoffMs(this.#deaths, RESTART);
    this.#deaths += 1;
    this.#restart = setTimeout(() => {
      this.#goTo('warming');
      this.#start();
    }, delay);
  }

  #goTo(state: 'warming' | 'ready' | 'failed'): void {
    if (this.#state === 'closed') return;
    this.#state = state;
    this.#options.changed();
  }
}
