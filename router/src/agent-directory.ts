import { type AgentEndpoint, type AgentLinkMessage, type LinkSession, MAX_SESSIONS_PER_POD } from '@replpool/protocol';
import { AgentStream, type StreamListener, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import { Agent } from './agent.ts';
import { KnownSessions, type Located } from './known-sessions.ts';
import type { Tombstone } from './tombstones.ts';
import type { ListedPool } from './visible-pools.ts';

/** How long the first word of an agent is waited for: a node that is overloaded is slow at first, and one that is dead is listed for minutes. */
const FIRST_WORD_MS = 10_000;

interface Listed {
  readonly agent: Agent;
  readonly stream: AgentStream;
}

/**
 * Which agents there are and which session is where: a cache of what the agents' streams say. A session is lost only
 * where its agent is known to be gone (no longer listed, or refusing connections) or has it no more; an agent that is
 * silent keeps its sessions.
 */
export class AgentDirectory implements Disposable {
  readonly #log: Logger;
  readonly #agentReady: (pod: string) => void;
  readonly #tls: TlsSource | undefined;
  readonly #agents = new Map<string, Listed>();
  readonly #sessions: KnownSessions;
  /** Pools of which an agent was heard while they were listed. */
  readonly #heard = new Set<string>();
  /** Those that were there at the beginning; what comes later has no session that is older than what we know of it. */
  #first: { readonly agents: ReadonlySet<Agent>; readonly listedAt: number } | undefined;
  /** Told of each session that went with its agent. */
  lost: (pool: string) => void = () => undefined;
  /** Whether it was ever said which agents there are. */
  listed = false;
  /** Whether an agent was ever heard. */
  heardOnce = false;

  /**
   * @param agentReady called whenever an agent begins to take sessions
   * @param tls who we are, to agents whose url is https
   */
  constructor(log: Logger, agentReady: (pod: string) => void = () => undefined, tls?: TlsSource) {
    this.#log = log;
    this.#sessions = new KnownSessions(log);
    this.#agentReady = agentReady;
    this.#tls = tls;
  }

  get agents(): Agent[] {
    return [...this.#agents.values()].map(({ agent }) => agent);
  }

  session(id: string): Located | undefined {
    return this.#sessions.get(id);
  }

  /** Whether agents of two pools say that they have it. */
  isContested(id: string): boolean {
    return this.#sessions.isContested(id);
  }

  /** Resolves once an agent's stream tells of the session, or after `ms`. */
  told(id: string, ms: number): Promise<void> {
    return this.#sessions.claimed(id, ms);
  }

  tombstone(id: string): Tombstone | undefined {
    return this.#sessions.tombstone(id);
  }

  /** In the order of the list. */
  get pools(): ListedPool[] {
    const names = new Set(this.agents.map(({ pool }) => pool));
    const awaited = new Set(this.#awaited.map(({ pool }) => pool));
    return [...names].map((pool) => ({ pool, isHeard: this.#heard.has(pool) || awaited.has(pool) }));
  }

  /** Whether agents that were there at the beginning still have time to tell of their sessions. */
  get settling(): boolean {
    return this.#awaited.length > 0;
  }

  /**
   * Whether sessions may be at an agent that says nothing. A pod that only claims by its labels to be an agent would else be waited for by all,
   * so a pool counts once one of its agents has shown who it is.
   */
  mayHaveSessions(agent: Agent): boolean {
    return this.#heard.has(agent.pool) || this.#awaited.includes(agent);
  }

  /** The agents that there are from now on. One that is gone, or came back elsewhere, has lost its sessions. */
  setAgents(endpoints: readonly AgentEndpoint[]): void {
    this.listed = true;
    const next = new Map(endpoints.map((endpoint) => [JSON.stringify(endpoint), endpoint]));
    for (const [key, listed] of this.#agents) {
      if (next.has(key)) continue;
      this.#agents.delete(key);
      this.#retire(listed);
    }
    const before = new Map(this.#agents);
    this.#agents.clear();
    for (const [key, endpoint] of next) this.#agents.set(key, before.get(key) ?? this.#open(endpoint));
    const { agents } = this;
    if (agents.length > 0) this.#first ??= { agents: new Set(agents), listedAt: performance.now() };
    const listed = new Set(agents.map(({ pool }) => pool));
    for (const pool of this.#heard) if (!listed.has(pool)) this.#heard.delete(pool);
  }

  /** A session that an agent made for us, before its stream says so. */
  created(agent: Agent, id: string, owner: string, epoch: number): void {
    this.#sessions.created(agent, id, { owner, epoch });
    // Its end may have been noticed first.
    if (agent.gone) this.#sessions.end(agent, id, 'node');
  }

  /**
   * A live copy of a session, before its agent's stream says so. Its id is the agent's choice, so this is no more than the agent's word: as
   * `created` it could be any other pool's session.
   */
  forked(agent: Agent, copy: Pick<LinkSession, 'id' | 'owner' | 'epoch'>): void {
    // Its end, or the agent's, may have been noticed first.
    if (!agent.gone && this.#sessions.tombstone(copy.id) === undefined) this.#claim(agent, copy);
  }

  deleted(id: string): void {
    this.#sessions.deleted(id);
  }

  [Symbol.dispose](): void {
    for (const listed of this.#agents.values()) this.#retire(listed);
    this.#agents.clear();
  }

  #open(endpoint: AgentEndpoint): Listed {
    const agent = new Agent(endpoint, this.#tls);
    let connectedAt = performance.now();
    let lastCause = '';
    const listener: StreamListener = {
      connecting: () => {
        connectedAt = performance.now();
      },
      message: (message) => this.#hear(agent, message, connectedAt),
      silent: () => this.#silent(agent),
      refused: () => this.#gone(agent, 'refuses connections'),
      failed: (err) => {
        // Once for each cause: it is tried again every second.
        const cause = String(err);
        if (cause === lastCause) return;
        lastCause = cause;
        this.#log.warn({ err, pod: agent.pod }, 'the stream of an agent ended');
      },
    };
    return { agent, stream: new AgentStream(endpoint, listener, { tls: this.#tls }) };
  }

  #retire({ agent, stream }: Listed): void {
    stream[Symbol.dispose]();
    this.#gone(agent, 'is no longer listed');
    agent.http.destroy().catch((err: unknown) => this.#log.warn({ err }, 'an agent’s connections did not end'));
  }

  #hear(agent: Agent, message: AgentLinkMessage, connectedAt: number): void {
    // A connection begins with a snapshot; what follows one that was not the agent's is not its either.
    if (message.type !== 'snapshot' && !agent.up) return;
    switch (message.type) {
      case 'snapshot':
        if (message.pod !== agent.pod || message.pool !== agent.pool) {
          // An address is given to another pod while the API server still tells of the one before.
          const { pod, pool } = message;
          this.#log.warn({ pod: agent.pod, found: { pod, pool } }, 'another pod answers at the address of an agent');
          this.#gone(agent, 'is no longer at its address');
          return;
        }
        this.#snapshot(agent, message.sessions, connectedAt);
        break;
      case 'session':
        this.#claim(agent, message.session);
        return;
      case 'session_gone':
        this.#sessions.end(agent, message.id, message.reason);
        return;
      case 'heartbeat':
        return;
    }
    const begins = message.ready && !agent.ready;
    agent.ready = message.ready;
    agent.draining = message.draining;
    agent.capacity = message.capacity;
    if (begins) this.#agentReady(agent.pod);
  }

  #snapshot(agent: Agent, sessions: readonly LinkSession[], connectedAt: number): void {
    if (!agent.up) this.#log.info({ pod: agent.pod, pool: agent.pool, sessions: sessions.length }, 'agent up');
    agent.cameUp();
    this.heardOnce = true;
    this.#heard.add(agent.pool);
    const there = new Set(sessions.map(({ id }) => id));
    for (const id of [...agent.sessions]) {
      const known = this.#sessions.claimOf(agent, id);
      // Created through us since the connection began: the snapshot may be older.
      if (!there.has(id) && known !== undefined && known.recordedAt < connectedAt)
        this.#sessions.end(agent, id, 'node');
    }
    for (const session of sessions) this.#claim(agent, session);
  }

  /** @throws Error where it tells of more than it can have, which takes our memory */
  #claim(agent: Agent, session: Pick<LinkSession, 'id' | 'owner' | 'epoch'>): void {
    if (!agent.sessions.has(session.id) && agent.sessions.size >= MAX_SESSIONS_PER_POD) {
      this.#gone(agent, 'tells of more sessions than an agent can have');
      throw new Error(`more than ${MAX_SESSIONS_PER_POD} sessions`);
    }
    this.#sessions.claim(agent, session.id, session);
  }

  get #awaited(): Agent[] {
    if (this.#first === undefined || performance.now() - this.#first.listedAt > FIRST_WORD_MS) return [];
    return [...this.#first.agents].filter(({ awaited }) => awaited);
  }

  /** Its sessions may live: a pause of a process or of a network is no death. */
  #silent(agent: Agent): void {
    const isTold = !agent.up && !agent.awaited;
    if (isTold || (agent.awaited && performance.now() - agent.listedAt < FIRST_WORD_MS)) return;
    this.#log.warn({ pod: agent.pod, pool: agent.pool, sessions: agent.sessions.size }, 'agent is silent');
    agent.wentDown({ gone: false });
  }

  #gone(agent: Agent, reason: string): void {
    if (agent.up || agent.sessions.size > 0) {
      const { pod, pool, sessions } = agent;
      this.#log.warn({ pod, pool, sessions: sessions.size, reason }, 'agent is gone');
    }
    for (const id of [...agent.sessions]) {
      this.#sessions.end(agent, id, 'node');
      this.lost(agent.pool);
    }
    agent.wentDown({ gone: true });
  }
}
