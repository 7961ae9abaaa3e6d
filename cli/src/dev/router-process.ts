import type { AgentEndpoint, AuthConfig, RouterConfig, RouterUpdate } from '@replpool/protocol';
import { routerMain } from '@replpool/router';
import { serviceFailed } from '../failure.ts';
import { shownLog } from './log-line.ts';
import { nodeStart } from './node-start.ts';
import { parseProcessLine } from './process-line.ts';
import { Supervisor } from './supervisor.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface RouterOptions {
  readonly port: number;
  readonly auth: AuthConfig;
  readonly verbose: boolean;
  readonly log: (line: string) => void;
}

/** The router, kept alive. It holds no session, so that a new one on the same port goes on where the old one ended. */
export class RouterProcess implements AsyncDisposable {
  readonly #supervisor: Supervisor;
  readonly #listening = Promise.withResolvers<number>();
  readonly #ready = new Map<string, PromiseWithResolvers<void>>();
  #agents: readonly AgentEndpoint[] = [];
  #port: number;

  constructor(options: RouterOptions) {
    this.#port = options.port;
    this.#listening.promise.catch(() => undefined);
    this.#supervisor = new Supervisor({
      start: () => {
        const config: RouterConfig = {
          listen: { host: '127.0.0.1', port: this.#port },
          auth: options.auth,
          agents: [...this.#agents],
          includeAgentMetrics: true,
        };
        return nodeStart(routerMain, [], config);
      },
      watcher: {
        line: (line) => {
          const said = parseProcessLine(line);
          if (said?.event === 'agent_ready') this.#readyAgent(said.pod).resolve();
          if (said?.event !== 'listening') return;
          this.#port = said.port;
          this.#listening.resolve(said.port);
          // The list may have changed between its start and its listening.
          this.#tell();
        },
        log: (line) => {
          const shown = shownLog('router', line, options.verbose);
          if (shown !== undefined) options.log(shown);
        },
        died: (reason, delayMs) => {
          options.log(`router ended (${reason}), it starts again in ${delayMs} ms`);
          this.#listening.reject(serviceFailed(`the router ended before it listened (${reason})`));
        },
      },
    });
  }

  /** Starts it; resolves with its port. */
  async listening(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    this.#supervisor.start();
    return await unlessAborted(this.#listening, signal);
  }

  /** The agents that there are from now on. */
  list(agents: readonly AgentEndpoint[]): void {
    this.#agents = agents;
    this.#tell();
  }

  /** Resolves once the router has heard from the agent that it takes sessions. */
  async knows(pod: string, signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#readyAgent(pod), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#supervisor[Symbol.asyncDispose]();
  }

  #readyAgent(pod: string): PromiseWithResolvers<void> {
    const known = this.#ready.get(pod) ?? Promise.withResolvers<void>();
    this.#ready.set(pod, known);
    return known;
  }

  #tell(): void {
    const update: RouterUpdate = { agents: [...this.#agents] };
    this.#supervisor.send(JSON.stringify(update));
  }
}
