import { ReplPoolError } from '@replpool/protocol';
import type { AgentDirectory } from './agent-directory.ts';
import type { Authenticator } from './auth/authenticator.ts';

interface ReadinessOptions {
  readonly directory: Pick<AgentDirectory, 'listed' | 'heardOnce' | 'settling' | 'agents'>;
  readonly authenticator: Pick<Authenticator, 'ready'>;
  /** Whether the list of agents is the cluster's, so that none to hear means that there is none. */
  readonly discovers: boolean;
}

/** Whether clients are to be sent here: once it is, until the router drains. That agents go away later is theirs to be told. */
export class Readiness {
  readonly #options: ReadinessOptions;
  #reached = false;
  #draining = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Undefined where it is ready. */
  notReady(): ReplPoolError | undefined {
    if (this.#draining) return new ReplPoolError('DRAINING', 'the router is about to go');
    const missing = this.#reached ? undefined : this.#missing();
    this.#reached = missing === undefined;
    return missing === undefined ? undefined : new ReplPoolError('WARMING', missing);
  }

  #missing(): string | undefined {
    const { directory, authenticator, discovers } = this.#options;
    if (!authenticator.ready) return 'the keys that tokens are signed with were not fetched yet';
    if (!directory.listed) return 'it is not known yet which agents there are';
    // Whose sessions are not known yet would be told that there are none, or to come again.
    if (directory.settling) return 'not all agents have told of their sessions yet';
    if (directory.heardOnce) return undefined;
    // A release without a pool, or with broken ones alone, has a router that says so.
    const hasToHear = !discovers || directory.agents.some((agent) => !agent.gone);
    return hasToHear ? 'no agent was heard of yet' : undefined;
  }
}
