import type { AgentCapacity, AgentEndpoint } from '@replpool/protocol';
import { Pool } from 'undici';
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
  ready = false;
  draining = false;
  capacity = NOTHING;
  /** Creations under way. */
  pending = 0;
  readonly sessions = new Set<string>();
  /** Ended when the agent is heard no more: requests and channels under way. */
  readonly #underWay = new Set<() => void>();
  /** Who waits for a verdict on whether it is gone. */
  readonly #waiting = new Set<() => void>();

  constructor(endpoint: AgentEndpoint) {
    this.endpoint = endpoint;
    // Without timeouts: an execution may take an hour, and an agent that cannot answer is noticed by its silence.
    this.http = new Pool(new URL(endpoint.url).origin, {
      bodyTimeout: 0,
      headersTimeout: 0,
      connectTimeout: 2_000,
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
  get free(): number {
    return this.capacity.free;
  }
  get warm(): number {
    return this.capacity.warm;
  }

  /** `end` is called when the agent goes down, unless the returned function was called before. */
  whileUp(end: () => void): () => void {
    this.#underWay.add(end);
    return () => this.#underWay.delete(end);
  }

  cameUp(): void {
    this.up = true;
    this.gone = false;
  }

  /** Ends what is under way there. */
  wentDown({ gone }: { gone: boolean }): void {
    this.up = false;
    this.gone ||= gone;
    this.ready = false;
    this.capacity = NOTHING;
    for (const end of [...this.#underWay]) end();
    this.#underWay.clear();
    for (const wake of [...this.#waiting]) wake();
    this.#waiting.clear();
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
