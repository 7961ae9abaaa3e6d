import type { AgentEndpoint, AgentLinkMessage, LinkSession } from '@replpool/protocol';
import { AgentStream, type StreamListener, type TlsSource } from '@replpool/service';
import type { Logger } from 'pino';
import { Agent } from './agent.ts';
import { type Tombstone, Tombstones } from './tombstones.ts';

export interface Located {
  readonly agent: Agent;
  readonly owner: string;
  readonly epoch: number;
  readonly labels: Readonly<Record<string, string>>;
  /** On the clock of `performance.now()`. */
  readonly recordedAt: number;
}

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
  readonly #sessions = new Map<string, Located>();
  readonly #tombstones = new Tombstones();
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
    this.#agentReady = agentReady;
    this.#tls = tls;
  }

  get agents(): Agent[] {
    return [...this.#agents.values()].map(({ agent }) => agent);
  }

  session(id: string): Located | undefined {
    return this.#sessions.get(id);
  }

  tombstone(id: string): Tombstone | undefined {
    return this.#tombstones.get(id);
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
    // In the order of the list: the first pool is the default one.
    const before = new Map(this.#agents);
    this.#agents.clear();
    for (const [key, endpoint] of next) this.#agents.set(key, before.get(key) ?? this.#open(endpoint));
  }

  /** A session that an agent made for us, before its stream says so. */
  created(agent: Agent, id: string, owner: string, epoch: number): void {
    if (this.#sessions.has(id)) return;
    this.#record(agent, id, { owner, epoch, labels: {} });
    // Its end may have been noticed first.
    if (agent.gone) this.#bury(id, 'node');
  }

  deleted(id: string): void {
    this.#bury(id, 'deleted');
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
        this.#record(agent, message.session.id, message.session);
        return;
      case 'session_gone':
        if (this.#sessions.get(message.id)?.agent === agent) this.#bury(message.id, message.reason);
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
    const there = new Set(sessions.map(({ id }) => id));
    for (const id of [...agent.sessions]) {
      const known = this.#sessions.get(id);
      // Created through us since the connection began: the snapshot may be older.
      if (!there.has(id) && known !== undefined && known.recordedAt < connectedAt) this.#bury(id, 'node');
    }
    for (const session of sessions) this.#record(agent, session.id, session);
  }

  #record(agent: Agent, id: string, { owner, epoch, labels }: Pick<LinkSession, 'owner' | 'epoch' | 'labels'>): void {
    const known = this.#sessions.get(id);
    if (known !== undefined && known.agent !== agent) {
      // Sessions move within their pool; no other tenant's agent gets one by saying that it has it.
      if (known.agent.pool !== agent.pool || known.epoch > epoch) return;
      known.agent.sessions.delete(id);
    }
    this.#tombstones.remove(id);
    agent.sessions.add(id);
    const recordedAt = known?.agent === agent ? known.recordedAt : performance.now();
    this.#sessions.set(id, { agent, owner, epoch, labels, recordedAt });
  }

  #bury(id: string, reason: string): void {
    const known = this.#sessions.get(id);
    known?.agent.sessions.delete(id);
    this.#sessions.delete(id);
    this.#tombstones.put(id, { reason, of: known && { owner: known.owner, pool: known.agent.pool } });
  }

  /** Its sessions may live: a pause of a process or of a network is no death. */
  #silent(agent: Agent): void {
    if (!agent.up) return;
    this.#log.warn({ pod: agent.pod, pool: agent.pool, sessions: agent.sessions.size }, 'agent is silent');
    agent.wentDown({ gone: false });
  }

  #gone(agent: Agent, reason: string): void {
    if (agent.up || agent.sessions.size > 0) {
      const { pod, pool, sessions } = agent;
      this.#log.warn({ pod, pool, sessions: sessions.size, reason }, 'agent is gone');
    }
    for (const id of [...agent.sessions]) {
      this.#bury(id, 'node');
      this.lost(agent.pool);
    }
    agent.wentDown({ gone: true });
  }
}
