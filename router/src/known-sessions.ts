import type { LinkSession } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { Agent } from './agent.ts';
import { type Tombstone, Tombstones } from './tombstones.ts';

export interface Located {
  readonly agent: Agent;
  readonly owner: string;
  readonly epoch: number;
  /** Whether it was made through this router, which then knows where it is by more than an agent's word. */
  readonly isOurs: boolean;
  /** On the clock of `performance.now()`. */
  readonly recordedAt: number;
}

interface Known {
  /** At most one of each pool. */
  readonly claims: readonly Located[];
  /** Agents of two pools said that they have it. Only one can be right, and from here it cannot be told which. */
  readonly isContested: boolean;
}

/**
 * Which session is where, as agents say. Pools may be different tenants', and what breaks out of a session speaks as its agent: none gets a
 * session of another pool by saying that it has it. Keeps `sessions` of each agent, which are those that it claims.
 */
export class KnownSessions {
  readonly #log: Logger;
  readonly #known = new Map<string, Known>();
  readonly #tombstones = new Tombstones();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** A liar is told of once: it may say many things. */
  readonly #warned = new WeakSet<Agent>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Undefined also where it is contested. */
  get(id: string): Located | undefined {
    const known = this.#known.get(id);
    return known?.isContested === false ? known.claims[0] : undefined;
  }

  isContested(id: string): boolean {
    return this.#known.get(id)?.isContested === true;
  }

  tombstone(id: string): Tombstone | undefined {
    return this.#tombstones.get(id);
  }

  claimOf(agent: Agent, id: string): Located | undefined {
    return this.#known.get(id)?.claims.find((claim) => claim.agent === agent);
  }

  /** An agent says that it has the session. */
  claim(agent: Agent, id: string, session: Pick<LinkSession, 'owner' | 'epoch'>): void {
    const { claims = [], isContested = false } = this.#known.get(id) ?? {};
    const before = claims.find((claim) => claim.agent.pool === agent.pool);
    // Sessions move within their pool.
    if (before !== undefined && before.agent !== agent && before.epoch > session.epoch) return;
    const others = claims.filter((claim) => claim !== before);
    if (others.some(({ isOurs }) => isOurs) || this.#isLostElsewhere(id, agent.pool)) {
      this.#warn(agent, id);
      return;
    }
    if (!isContested && others.length > 0) {
      const claimedBy = [...others.map((other) => other.agent.pod), agent.pod];
      this.#log.error({ session: id, claimedBy }, 'agents of two pools claim a session, it is served by neither');
    }
    this.#put(id, agent, session, { before, others, isContested: isContested || others.length > 0 });
  }

  /** The agent made it for us, whatever others say. */
  created(agent: Agent, id: string, session: Pick<LinkSession, 'owner' | 'epoch'>): void {
    const claims = this.#known.get(id)?.claims ?? [];
    for (const claim of claims) claim.agent.sessions.delete(id);
    const before = claims.find((claim) => claim.agent === agent);
    const epoch = Math.max(session.epoch, before?.epoch ?? 0);
    this.#put(id, agent, { ...session, epoch }, { before, others: [], isContested: false, isOurs: true });
  }

  /** The agent has it no more. One that was contested stays so: who is left may be the one that has no right to it. */
  end(agent: Agent, id: string, reason: string): void {
    const known = this.#known.get(id);
    const ended = known?.claims.find((claim) => claim.agent === agent);
    if (known === undefined || ended === undefined) return;
    agent.sessions.delete(id);
    const claims = known.claims.filter((claim) => claim !== ended);
    if (claims.length > 0) {
      this.#known.set(id, { ...known, claims });
      return;
    }
    this.#known.delete(id);
    const of = { owner: ended.owner, pool: agent.pool };
    // It may be the liar who says last that it was deleted.
    this.#tombstones.put(id, known.isContested ? { reason: 'node' } : { reason, of });
  }

  deleted(id: string): void {
    const { claims = [] } = this.#known.get(id) ?? {};
    for (const claim of claims) claim.agent.sessions.delete(id);
    this.#known.delete(id);
    const [claim] = claims;
    this.#tombstones.put(id, {
      reason: 'deleted',
      of: claim && { owner: claim.owner, pool: claim.agent.pool },
    });
  }

  /** Resolves once an agent claims it, or after `ms`. */
  async claimed(id: string, ms: number): Promise<void> {
    if (this.#known.has(id)) return;
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, ms);
      waiting.add(done);
    });
  }

  #put(
    id: string,
    agent: Agent,
    { owner, epoch }: Pick<LinkSession, 'owner' | 'epoch'>,
    facts: Pick<Known, 'isContested'> & { before: Located | undefined; others: Located[]; isOurs?: boolean },
  ): void {
    const { before, others, isContested, isOurs = before?.isOurs ?? false } = facts;
    before?.agent.sessions.delete(id);
    agent.sessions.add(id);
    this.#tombstones.remove(id);
    const recordedAt = before?.agent === agent ? before.recordedAt : performance.now();
    this.#known.set(id, { claims: [...others, { agent, owner, epoch, isOurs, recordedAt }], isContested });
    for (const wake of [...(this.#waiting.get(id) ?? [])]) wake();
  }

  /** One that was lost comes back where it was, if at all; a deleted id may be used again anywhere. */
  #isLostElsewhere(id: string, pool: string): boolean {
    const stone = this.#tombstones.get(id);
    return stone !== undefined && stone.reason !== 'deleted' && stone.of?.pool !== pool;
  }

  #warn(agent: Agent, session: string): void {
    if (this.#warned.has(agent)) return;
    this.#warned.add(agent);
    const { pod, pool } = agent;
    this.#log.error({ pod, pool, session }, 'an agent claims a session of another pool; it is not believed');
  }
}
