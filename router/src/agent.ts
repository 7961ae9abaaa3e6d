import type { Socket } from 'node:net';
import type { AgentCapacity, AgentEndpoint } from '@replpool/protocol';
import type { TlsSource } from '@replpool/service';
import { Pool } from 'undici';
import { agentConnector, dialAgent } from './agent-connector.ts';
import type { Candidate } from './placement.ts';

const NOTHING: AgentCapacity = { sessions: 0, active: 0, busy: 0, warm: 0, free: 0, hits: 0, misses: 0 };

/** One agent as the router sees it: what its stream said last, its connections, what is under way there. */
export class Agent implements Candidate {
  readonly endpoint: AgentEndpoint;
  readonly http: Pool;
  /** Whether it is heard now. Where it is not, its sessions may live all the same. */
  up = false;
  /** Whether its process is known to be gone, and its sessions with it. */
  gone = false;
  /** Whether it may have sessions that it has had no time to tell of: until it is first heard, or given up. */
  awaited = true;
  /** On the clock of `performance.now()`. */
  readonly listedAt = performance.now();
  ready = false;
  draining = false;
  capacity = NOTHING;
  /** Creations under way. */
  pending = 0;
  readonly sessions = new Set<string>();
  readonly #tls: TlsSource | undefined;
  /** Ended when the agent is heard no more: requests and channels under way. */
  readonly #underWay = new Set<(why: Error) => void>();
  /** Who waits for a verdict on whether it is gone. */
  readonly #waiting = new Set<() => void>();

  /** @param tls for one whose url is https */
  constructor(endpoint: AgentEndpoint, tls?: TlsSource) {
    this.endpoint = endpoint;
    this.#tls = tls;
    // Without timeouts: an execution may take an hour, and an agent that cannot answer is noticed by its silence.
    this.http = new Pool(new URL(endpoint.url).origin, {
      bodyTimeout: 0,
      headersTimeout: 0,
      connect: agentConnector(endpoint, tls),
      pipelining: 1,
      keepAliveTimeout: 4_000,
    });
  }

  get pod(): string {
    return this.endpoint.pod;
  }
  get pool(): string {
    return this.endpoint.pool;
  }
  get revision(): string | undefined {
    return this.endpoint.revision;
  }
  get createdAt(): string | undefined {
    return this.endpoint.createdAt;
  }
  get free(): number {
    return this.capacity.free;
  }
  get warm(): number {
    return this.capacity.warm;
  }

  /** A connection of its own, for what is no plain request. @throws Error */
  dial(timeoutMs: number): Promise<Socket> {
    return dialAgent(this.endpoint, this.#tls, timeoutMs);
  }

  /** `end` is called when the agent goes down or is cut off, unless the returned function was called before. */
  whileUp(end: (why: Error) => void): () => void {
    this.#underWay.add(end);
    return () => this.#underWay.delete(end);
  }

  cameUp(): void {
    this.up = true;
    this.awaited = false;
    this.gone = false;
  }

  /** What is under way there ends too. */
  wentDown({ gone }: { gone: boolean }): void {
    this.up = false;
    this.awaited = false;
    this.gone ||= gone;
    this.ready = false;
    this.capacity = NOTHING;
    this.cut(new Error('the agent is silent or gone'));
    for (const wake of [...this.#waiting]) wake();
    this.#waiting.clear();
  }

  /** Ends what is under way there. */
  cut(why: Error): void {
    for (const end of [...this.#underWay]) end(why);
    this.#underWay.clear();
  }

  /** Whether the agent is gone, or is found to be within `ms`: a broken connection alone does not say it. */
  async isGoneWithin(ms: number): Promise<boolean> {
    if (!this.up) return this.gone;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      const waiting = this.#waiting;
      waiting.add(done);
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
    });
    return this.gone;
  }
}
