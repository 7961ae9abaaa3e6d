import { ReplPoolError } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { WorkerHub } from '../worker/hub.ts';
import type { Launcher } from '../worker/launcher.ts';
import { Worker } from '../worker/worker.ts';
import type { Template } from './template.ts';
import { WarmPool } from './warm-pool.ts';

/** A zygote that died after it had warmed is started again after so long. */
const RESTART_MS = 1000;

export interface ZygoteOptions {
  readonly template: Template;
  readonly launcher: Launcher;
  readonly hub: WorkerHub;
  readonly runDirectory: string;
  readonly minIdle: number;
  readonly log: Logger;
  /** Called on every change of `state`. */
  changed(): void;
}

/** The zygote of one template, started again when it dies, and the warm forks of it. */
export class Zygote {
  readonly template: Template;
  readonly pool: WarmPool;
  readonly #options: ZygoteOptions;
  #state: 'warming' | 'ready' | 'failed' | 'closed' = 'warming';
  #failure = '';
  #generation = 0;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: ZygoteOptions) {
    this.#options = options;
    this.template = options.template;
    const { launcher, hub, runDirectory, minIdle, log } = options;
    this.pool = new WarmPool({
      minIdle,
      log,
      fork: () => Worker.fork({ launcher, hub, zygote: this.#name, runDirectory }),
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
  acquire(): Promise<{ worker: Worker; warm: boolean }> {
    const { name } = this.template;
    if (this.#state === 'failed') {
      throw new ReplPoolError('WORKER_FAILED', `template ${name} could not warm up`, {
        why: this.#failure,
        how: 'Correct `preload`, `requirements` or `warmupCode` of the ReplPool.',
      });
    }
    if (this.#state !== 'ready') throw new ReplPoolError('WARMING', `template ${name} is still warming up`);
    return this.pool.acquire();
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
          this.#goTo('ready');
          this.pool.fill();
        },
        failed: (message) => {
          this.#failure = message;
          log.error({ template: template.name, message }, 'zygote could not warm up');
          this.#goTo('failed');
        },
        exited: (status) => {
          if (this.#state !== 'ready') return;
          log.warn({ template: template.name, status }, 'zygote died and is replaced');
          this.#goTo('warming');
          this.#restart = setTimeout(() => this.#start(), RESTART_MS);
        },
      },
    );
  }

  #goTo(state: 'warming' | 'ready' | 'failed'): void {
    if (this.#state === 'closed') return;
    this.#state = state;
    this.#options.changed();
  }
}
