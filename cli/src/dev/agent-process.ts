import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import type { AgentConfig, AgentEndpoint, ReplPoolSpec } from '@replpool/protocol';
import { agentMain, agentNodeOptions } from '@replpool/session-agent';
import { serviceFailed } from '../failure.ts';
import { shownLog } from './log-line.ts';
import { nodeStart } from './node-start.ts';
import { parseProcessLine } from './process-line.ts';
import { type Start, Supervisor } from './supervisor.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface AgentOptions {
  readonly pool: string;
  readonly pod: string;
  readonly spec: ReplPoolSpec;
  readonly python: string;
  readonly runDirectory: string;
  readonly verbose: boolean;
  readonly log: (line: string) => void;
  /** The agent can be reached at another place now, or no more. */
  readonly changed: () => void;
}

/** Deaths before its first readiness that are taken for an accident; then the start fails. */
const toleratedDeaths = 3;

/** One agent, kept alive. Each start has a port, a token and a folder of its own, so nothing of a dead one is taken for the new. */
export class AgentProcess implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #supervisor: Supervisor;
  readonly #warmed = Promise.withResolvers<void>();
  #entry: AgentEndpoint | undefined;
  #token = '';
  #folder = '';
  #deaths = 0;
  #isWarm = false;
  #startedAt = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    // Its result is only looked at by start().
    this.#warmed.promise.catch(() => undefined);
    this.#supervisor = new Supervisor({
      start: (generation) => this.#start(generation),
      watcher: {
        line: (line) => this.#line(line),
        log: (line) => {
          const shown = shownLog(options.pod, line, options.verbose);
          if (shown !== undefined) options.log(shown);
        },
        died: (reason, delayMs) => this.#died(reason, delayMs),
      },
    });
  }

  get pod(): string {
    return this.#options.pod;
  }

  /** Where the router finds it, while it listens. */
  get entry(): AgentEndpoint | undefined {
    return this.#entry;
  }

  /** Resolves when its zygotes are warm; rejects where they cannot be. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#supervisor.start();
    await unlessAborted(this.#warmed, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#supervisor[Symbol.asyncDispose]();
  }

  #start(generation: number): Start {
    const { pool, pod, spec, python, runDirectory } = this.#options;
    this.#startedAt = performance.now();
    this.#token = randomBytes(24).toString('base64url');
    this.#folder = `${runDirectory}-${generation}`;
    mkdirSync(this.#folder, { mode: 0o700 });
    const config: AgentConfig = {
      ...{ pool, pod, spec, python, token: this.#token },
      listen: { host: '127.0.0.1', port: 0 },
      runDirectory: this.#folder,
    };
    return nodeStart(agentMain, ['--pod', pod], config, agentNodeOptions);
  }

  #line(line: string): void {
    const { pool, pod, changed, log } = this.#options;
    const said = parseProcessLine(line);
    if (said?.event === 'listening') {
      this.#entry = { pod, pool, url: `http://127.0.0.1:${said.port}`, token: this.#token };
      changed();
    } else if (said?.event === 'ready') {
      const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
      log(`· ${pod} is ready (${seconds} s${this.#isWarm ? ', started again' : ''})`);
      this.#isWarm = true;
      this.#warmed.resolve();
    } else if (said?.event === 'failed') {
      log(`${pod}: its zygote does not warm: ${said.message}`);
      this.#warmed.reject(
        serviceFailed(
          `the pool does not warm: ${said.message}`,
          'look at preload, requirements and warmupCode of the ReplPool',
        ),
      );
    }
  }

  #died(reason: string, delayMs: number): void {
    const { pod, changed, log } = this.#options;
    this.#entry = undefined;
    this.#deaths += 1;
    changed();
    log(`${pod} ended (${reason}); its sessions are lost, it starts again in ${delayMs} ms`);
    removeQuietly(this.#folder);
    if (!this.#isWarm && this.#deaths >= toleratedDeaths) {
      this.#warmed.reject(serviceFailed(`${pod} ended ${this.#deaths} times before it was ready (${reason})`));
    }
  }
}

/** Workers of a killed agent may still be writing; what they leave goes with the whole run directory. */
function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // see above
  }
}
