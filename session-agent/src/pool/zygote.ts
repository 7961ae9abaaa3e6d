import { ReplPoolError, type TemplateFailure } from '@replpool/protocol';
import { type Backoff, backoffMs, messageOf } from '@replpool/service';
import { Environment } from '../environment/environment.ts';
import { describeExit, type ExitStatus } from '../worker/exit.ts';
import { Worker, type WorkerGround } from '../worker/worker.ts';
import type { Template } from './template.ts';
import { WarmPool } from './warm-pool.ts';

/** A zygote that died is started again after so long, and after longer each time until it has warmed. */
const RESTART: Backoff = { firstMs: 1000, longestMs: 60_000, jitter: 0 };

/** Of a failure in the status of its pool, where each of its pods may have one. */
const LONGEST_GIST = 500;

export interface ZygoteOptions extends WorkerGround {
  readonly template: Template;
  /** Has the objects that variables come from. */
  readonly environmentFolder: string | undefined;
  readonly minIdle: number;
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
  readonly environment: Environment;
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
    this.environment = new Environment(this.template.environment, options.environmentFolder);
    const { minIdle, log, capacityChanged: changed } = options;
    this.pool = new WarmPool({
      minIdle,
      log,
      changed,
      fork: () => Worker.fork(this.#name, options),
    });
    void this.#start();
  }

  get state(): 'warming' | 'ready' | 'failed' | 'closed' {
    return this.#state;
  }

  /** Why it cannot warm, from its first failure until it does. */
  get problem(): TemplateFailure | undefined {
    return this.#failure === '' ? undefined : { template: this.template.name, message: gist(this.#failure) };
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

  async #start(): Promise<void> {
    const { launcher, template, log } = this.#options;
    this.#generation += 1;
    let env: Readonly<Record<string, string>>;
    try {
      env = await this.environment.ofZygote();
    } catch (error) {
      this.#failed(messageOf(error));
      // What is missing may come.
      this.#startLater();
      return;
    }
    if (this.#state === 'closed') return;
    launcher.startZygote(
      this.#name,
      { preload: template.preload, warmupCode: template.warmupCode, env, cpu: template.cpu },
      {
        ready: (durationMs) => {
          log.info({ template: template.name, durationMs }, 'zygote is warm');
          this.#hasWarmed = true;
          this.#deaths = 0;
          this.#failure = '';
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
    // What failed in the worker's language the first time fails again; a signal, or a failure after it was warm, may pass.
    if (status.signal === undefined && !this.#hasWarmed) return;
    this.#startLater();
  }

  #startLater(): void {
    if (this.#state === 'closed') return;
    const delay = backoffMs(this.#deaths, RESTART);
    this.#deaths += 1;
    this.#restart = setTimeout(() => {
      this.#goTo('warming');
      void this.#start();
    }, delay);
  }

  #goTo(state: 'warming' | 'ready' | 'failed'): void {
    if (this.#state === 'closed') return;
    this.#state = state;
    this.#options.changed();
  }
}

/** The first line, which names the error, and the last, which names its cause. */
function gist(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  const [first = ''] = lines;
  const last = lines.at(-1) ?? '';
  return (lines.length > 1 ? `${first} … ${last}` : first).slice(0, LONGEST_GIST).toWellFormed();
}
