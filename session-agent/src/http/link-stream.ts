import {
  type Acquired,
  type AgentCapacity,
  type AgentConfig,
  type AgentIsolation,
  type AgentLinkMessage,
  INTERNAL_STREAM_PATH,
  type LinkSession,
  type SessionGoneReason,
  type TemplateFailure,
} from '@replpool/protocol';
import { type Response, Router } from 'express';
import type { Session } from '../session/session.ts';
import { hasEnded } from '../session/states.ts';
import type { Sessions } from '../sessions.ts';

/** Routers miss an agent after two of these. */
const HEARTBEAT_MS = 1000;
/** Who only counts, the operator, has a stream to every agent of the cluster, and sends nobody there: one in so many beats will do. */
const BEATS_OF_COUNTERS = 5;
/** Bytes that may wait for one listener. One that does not read is cut off; it comes back and gets a new snapshot. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Busy sessions change state thousands of times a second; routers hear of it at most so often. */
const COALESCE_MS = 50;
/**
 * Who only counts hears of a change as soon, for it chooses by it which pod goes; but, of thousands of agents, not again within this time,
 * unless the agent begins to serve: it would be chosen for what it was.
 */
const COUNTERS_EVERY_MS = 1000;

/** What is told of an agent beside its sessions. */
export interface LinkFacts {
  readonly isolation: AgentIsolation;
  acquired(): Acquired;
  failures(): readonly TemplateFailure[];
}

/** Tells routers which sessions there are, and the operator how many: a snapshot, then changes. */
export class LinkStream implements Disposable {
  readonly #config: AgentConfig;
  readonly #sessions: Sessions;
  readonly #facts: LinkFacts;
  /** Who listens, and whether sessions are told one by one or only counted. */
  readonly #listeners = new Map<Response, { sessions: boolean }>();
  readonly #dirty = new Set<Session>();
  readonly #heartbeat: NodeJS.Timeout;
  #beats = 0;
  #flush: NodeJS.Timeout | undefined;
  #flushCounters: NodeJS.Timeout | undefined;
  #countersToldAt = -Infinity;
  /** What who only counts holds it for. */
  #counted: Pick<AgentCapacity, 'active' | 'busy'> = { active: 0, busy: 0 };

  constructor(config: AgentConfig, sessions: Sessions, facts: LinkFacts) {
    this.#config = config;
    this.#sessions = sessions;
    this.#facts = facts;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  routes(): Router {
    const router = Router();
    router.get(INTERNAL_STREAM_PATH, (request, response) => {
      const withSessions = request.query.sessions !== 'false';
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      const { pod, pool } = this.#config;
      const sessions = withSessions ? this.#sessions.list().map(linkSession) : [];
      const { effective, cgroups, missing } = this.#facts.isolation;
      const isolation = { effective, cgroups, missing };
      response.write(line({ type: 'snapshot', pod, pool, ...this.#readiness(), isolation, sessions }));
      if (!withSessions) this.#counted = this.#sessions.capacity();
      this.#listeners.set(response, { sessions: withSessions });
      response.on('close', () => this.#listeners.delete(response));
    });
    return router;
  }

  /** A session is new: told at once, or another router could not find it. */
  created(session: Session): void {
    this.#send({ type: 'session', session: linkSession(session) });
    this.#later();
  }

  changed(session: Session): void {
    this.#dirty.add(session);
    this.#later();
  }

  gone(id: string, reason: SessionGoneReason): void {
    this.#send({ type: 'session_gone', id, reason });
    this.#later();
  }

  /** More or fewer warm forks. */
  capacityChanged(): void {
    this.#later();
  }

  /** A zygote warmed or died: told at once, for clients wait for it. */
  readinessChanged(): void {
    this.#send({ type: 'capacity', ...this.#readiness() }, 'all');
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#flush);
    clearTimeout(this.#flushCounters);
    for (const listener of this.#listeners.keys()) listener.end();
  }

  #beat(): void {
    this.#beats += 1;
    this.#send({ type: 'heartbeat' }, this.#beats % BEATS_OF_COUNTERS === 0 ? 'all' : 'routers');
  }

  #later(): void {
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      for (const session of this.#dirty) {
        if (!hasEnded(session.state)) this.#send({ type: 'session', session: linkSession(session) });
      }
      this.#dirty.clear();
      this.#send({ type: 'capacity', ...this.#readiness() });
    }, COALESCE_MS);
    if (this.#beginsToServe) {
      this.#tellCounters();
      return;
    }
    const nextAt = this.#countersToldAt + COUNTERS_EVERY_MS;
    this.#flushCounters ??= setTimeout(() => this.#tellCounters(), Math.max(COALESCE_MS, nextAt - performance.now()));
  }

  get #beginsToServe(): boolean {
    const { active, busy } = this.#counted;
    if (active > 0 && busy > 0) return false;
    const now = this.#sessions.capacity();
    return (active === 0 && now.active > 0) || (busy === 0 && now.busy > 0);
  }

  #tellCounters(): void {
    clearTimeout(this.#flushCounters);
    this.#flushCounters = undefined;
    this.#countersToldAt = performance.now();
    const readiness = this.#readiness();
    this.#counted = readiness.capacity;
    this.#send({ type: 'capacity', ...readiness }, 'counters');
  }

  #readiness() {
    const { ready, draining } = this.#sessions;
    const failures = [...this.#facts.failures()];
    return {
      ...{ ready, draining, capacity: this.#sessions.capacity(), acquired: this.#facts.acquired() },
      ...(failures.length > 0 && { failures }),
    };
  }

  #send(message: AgentLinkMessage, to: 'all' | 'routers' | 'counters' = 'routers'): void {
    if (this.#listeners.size === 0) return;
    const text = line(message);
    for (const [listener, { sessions }] of this.#listeners) {
      if (to === (sessions ? 'counters' : 'routers')) continue;
      listener.write(text);
      if (listener.writableLength > MAX_WAITING_BYTES) listener.destroy();
    }
  }
}

function line(message: AgentLinkMessage): string {
  return `${JSON.stringify(message)}\n`;
}

function linkSession(session: Session): LinkSession {
  const { id, epoch, state, owner, labels, stateEpoch } = session;
  return { id, epoch, state, owner, labels: { ...labels }, stateEpoch };
}
