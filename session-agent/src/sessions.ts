import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  type AgentCapacity,
  type AgentConfig,
  type CreateSession,
  type Execution,
  type ForkSession,
  type Isolation,
  ReplPoolError,
  type SessionGoneReason,
  type SnapshotKind,
} from '@replpool/protocol';
import type { Zygote } from './pool/zygote.ts';
import type { Inherited } from './session/executions-options.ts';
import { removeTree } from './session/remove-tree.ts';
import { Session } from './session/session.ts';
import { sessionGone } from './session/session-gone.ts';
import { sessionLimits } from './session/session-limits.ts';
import type { SessionObserver } from './session/session-options.ts';
import { hasEnded } from './session/states.ts';

/** Reasons of ended sessions kept for the answer 410. */
const REMEMBERED_ENDS = 10_000;
const RING_BYTES = 8 * 1024 * 1024;
const LOG_BYTES = 256 * 1024 * 1024;
/** How often idle and life times are looked at. */
const EXPIRY_CHECK_MS = 1000;

export interface SessionsObserver {
  created(session: Session, warm: boolean, seconds: number): void;
  /** Another is a live copy of it. */
  forked(session: Session): void;
  changed(session: Session): void;
  /** No session is admitted any more, and fewer are on their way: told at once, so that routers ask another agent and nobody waits for them. */
  draining(): void;
  gone(id: string, reason: SessionGoneReason): void;
  executed(outcome: Execution): void;
  output(bytes: number): void;
  limitHit(limit: string): void;
  rolledBack(snapshot: SnapshotKind): void;
  failed(what: string, error: unknown): void;
}

/** The sessions that this agent owns: admission, lookup, expiry. The agent has the last word on all of them. */
export class Sessions {
  readonly #config: AgentConfig;
  readonly #isolation: Isolation;
  readonly #zygotes: readonly Zygote[];
  readonly #observer: SessionsObserver;
  readonly #live = new Map<string, Session>();
  readonly #creating = new Map<string, { owner: string; session: Promise<Session> }>();
  readonly #ended = new Map<string, SessionGoneReason>();
  readonly #expiry: NodeJS.Timeout;
  readonly #emptied = new Set<() => void>();
  /** Those that have ended and whose processes and folders are still being removed. */
  #closing = 0;
  #warmedOnce = false;
  /** On the clock of `performance.now()`. */
  #drainingSince: number | undefined;

  constructor(config: AgentConfig, isolation: Isolation, zygotes: readonly Zygote[], observer: SessionsObserver) {
    this.#config = config;
    this.#isolation = isolation;
    this.#zygotes = zygotes;
    this.#observer = observer;
    this.#expiry = setInterval(() => this.#expire(), EXPIRY_CHECK_MS);
  }

  get ready(): boolean {
    return this.#zygotes.some((zygote) => zygote.state === 'ready');
  }

  /** Whether a template was ever warm. */
  get warmedOnce(): boolean {
    this.#warmedOnce ||= this.ready;
    return this.#warmedOnce;
  }

  get draining(): boolean {
    return this.#drainingSince !== undefined;
  }

  capacity(): AgentCapacity {
    const { maxPerPod } = this.#config.spec.sessions;
    // Without those on their way, which each router counts itself; admission knows them all. Of an agent that drains they count too: it is
    // deleted when it says that it is empty.
    const active = this.#live.size + (this.draining ? this.#creating.size : 0);
    const sum = (of: (zygote: Zygote) => number) => this.#zygotes.reduce((total, zygote) => total + of(zygote), 0);
    return {
      sessions: maxPerPod,
      active,
      busy: this.list().filter(({ state }) => state === 'busy').length,
      warm: sum((zygote) => zygote.pool.warm),
      free: this.ready && !this.draining ? Math.max(0, maxPerPod - active) : 0,
      hits: sum((zygote) => zygote.pool.hits),
      misses: sum((zygote) => zygote.pool.misses),
    };
  }

  list(): Session[] {
    return [...this.#live.values()];
  }

  /** @throws ReplPoolError SESSION_NOT_FOUND, SESSION_LOST */
  get(id: string): Session {
    const session = this.#live.get(id);
    if (session) return session;
    throw sessionGone(id, this.#ended.get(id));
  }

  /**
   * A new session, or the one that has this id already.
   * @throws ReplPoolError FORBIDDEN, INVALID_REQUEST, POOL_NOT_FOUND, POOL_EXHAUSTED, WARMING, DRAINING, WORKER_FAILED
   */
  async create(request: CreateSession, owner: string): Promise<{ session: Session; created: boolean }> {
    const id = request.id ?? randomUUID();
    const known = this.#live.get(id) ?? this.#creating.get(id);
    if (known) {
      if (known.owner !== owner) throw new ReplPoolError('FORBIDDEN', `session ${id} belongs to somebody else`);
      return { session: known instanceof Session ? known : await known.session, created: false };
    }
    this.#admit(request);
    const session = this.#start(id, request, owner);
    this.#creating.set(id, { owner, session });
    try {
      return { session: await session, created: true };
    } finally {
      this.#creating.delete(id);
      if (this.draining) this.#observer.draining();
      this.#tellEmptied();
    }
  }

  /**
   * Live copies of a session, for the same owner: all of them or none.
   * @throws ReplPoolError POOL_EXHAUSTED, DRAINING, FORK_UNSAFE, TRANSACTION_OPEN, QUEUE_FULL, CIRCUIT_OPEN, WORKER_FAILED, SESSION_NOT_FOUND,
   * SESSION_LOST
   */
  async fork(parent: Session, { count, labels }: ForkSession): Promise<readonly Session[]> {
    this.#admitMore(count);
    const ids = Array.from({ length: count }, () => randomUUID());
    const over = Promise.withResolvers<void>();
    let made: readonly Session[] = [];
    try {
      made = await parent.fork((inherited) => {
        // Once more at its turn, and only from here on are the slots others' no more: what runs before it may take an hour.
        this.#admitMore(count);
        const { owner } = parent;
        for (const id of ids) this.#creating.set(id, { owner, session: over.promise.then(() => this.get(id)) });
        for (const id of ids) this.#creating.get(id)?.session.catch(() => undefined);
        made = ids.map((id) => this.#branchOf(parent, id, labels ?? parent.labels, inherited));
        return made;
      });
      for (const session of made) this.#forked(session);
      return made;
    } catch (error) {
      await Promise.all(made.map((session) => session.close('deleted')));
      throw error;
    } finally {
      for (const id of ids) this.#creating.delete(id);
      over.resolve();
      if (this.draining) this.#observer.draining();
      this.#tellEmptied();
    }
  }

  /**
   * From now on no session is admitted; those that there are stay as usable as they were.
   * @returns since when, on the clock of `performance.now()`: it may be told more than once
   */
  drain(): number {
    this.#drainingSince ??= performance.now();
    this.#observer.draining();
    return this.#drainingSince;
  }

  /** Resolves when no session is left, or at the signal. */
  async emptied(signal: AbortSignal): Promise<void> {
    if (this.#isEmpty || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#emptied.delete(resolve);
  }

  async close(): Promise<void> {
    clearInterval(this.#expiry);
    this.#drainingSince ??= performance.now();
    const closeAll = () => Promise.all(this.list().map((session) => session.close('drain')));
    // Not behind those on their way: a fork waits for what runs in its session.
    await Promise.all([closeAll(), Promise.allSettled([...this.#creating.values()].map(({ session }) => session))]);
    await closeAll();
  }

  #admit(request: CreateSession): void {
    const { pool } = this.#config;
    if (request.pool !== undefined && request.pool !== pool) {
      throw new ReplPoolError('POOL_NOT_FOUND', `this agent serves pool ${pool}, not ${request.pool}`, {
        details: { pool: request.pool },
      });
    }
    this.#admitMore(1);
  }

  #admitMore(count: number): void {
    const { pod, spec } = this.#config;
    const { maxPerPod } = spec.sessions;
    if (this.draining) throw new ReplPoolError('DRAINING', 'this agent is draining and admits no new sessions');
    const free = maxPerPod - this.#live.size - this.#creating.size;
    if (free >= count) return;
    const what =
      free > 0
        ? `${free} of ${maxPerPod} slots of ${pod} are free, not ${count}`
        : `all ${maxPerPod} slots of ${pod} are taken`;
    throw new ReplPoolError('POOL_EXHAUSTED', what);
  }

  #forked(session: Session): void {
    if (hasEnded(session.state)) return;
    this.#live.set(session.id, session);
    this.#observer.forked(session);
  }

  #branchOf(parent: Session, id: string, labels: Session['labels'], inherited: Inherited): Session {
    const directory = this.#folderOf(id);
    const { idleTimeoutSeconds } = parent;
    const own = { id, name: undefined, labels, idleTimeoutSeconds, directory, forkedFrom: parent.id, inherited };
    return new Session({ ...parent.options, ...own }, this.#sessionObserver(directory));
  }

  /** Of its own: an id may be used again while the former session's folder is still being removed. */
  #folderOf(id: string): string {
    return join(this.#config.runDirectory, 'sessions', `${id}-${randomUUID().slice(0, 8)}`);
  }

  async #start(id: string, request: CreateSession, owner: string): Promise<Session> {
    const began = performance.now();
    const { pool, pod, spec } = this.#config;
    const zygote = this.#zygoteOf(request.template);
    const variables = await zygote.environment.ofSession();
    const limits = sessionLimits(zygote.template.limits, request, spec.sessions.limits);
    const directory = this.#folderOf(id);
    const session = new Session(
      {
        id,
        pool,
        pod,
        owner,
        template: zygote.template.name,
        name: request.name,
        labels: request.labels ?? {},
        env: { ...variables, ...request.env },
        limits,
        isolation: this.#isolation,
        idleTimeoutSeconds: request.idleTimeoutSeconds ?? spec.sessions.idleTimeoutSeconds,
        interruptGraceSeconds: spec.sessions.interruptGraceSeconds,
        queueLength: spec.sessions.queueLength,
        keepSnapshots: request.keepSnapshots ?? spec.sessions.keepSnapshots,
        onCrash: spec.sessions.onCrash,
        directory,
        ringBytes: RING_BYTES,
        logBytes: LOG_BYTES,
        acquireWorker: async () => (await zygote.acquire()).worker,
      },
      this.#sessionObserver(directory),
    );
    try {
      const { worker, warm } = await zygote.acquire();
      await session.start(worker);
      this.#live.set(id, session);
      this.#ended.delete(id);
      this.#observer.created(session, warm, (performance.now() - began) / 1000);
      return session;
    } catch (error) {
      await this.#removeFolder(directory);
      throw error;
    }
  }

  #zygoteOf(template: string | undefined): Zygote {
    const zygote =
      template === undefined ? this.#zygotes[0] : this.#zygotes.find((each) => each.template.name === template);
    if (zygote) return zygote;
    throw new ReplPoolError('INVALID_REQUEST', `template: pool ${this.#config.pool} has no template ${template}`, {
      details: { field: 'template' },
    });
  }

  #sessionObserver(directory: string): SessionObserver {
    return {
      changed: (session) => {
        if (!hasEnded(session.state) && this.#live.has(session.id)) this.#observer.changed(session);
      },
      ended: (session, reason) => {
        this.#live.delete(session.id);
        this.#closing += 1;
        this.#ended.set(session.id, reason);
        const [oldest] = this.#ended.keys();
        if (this.#ended.size > REMEMBERED_ENDS && oldest !== undefined) this.#ended.delete(oldest);
        this.#observer.gone(session.id, reason);
      },
      closed: async () => {
        await this.#removeFolder(directory);
        this.#closing -= 1;
        this.#tellEmptied();
      },
      executed: (outcome) => this.#observer.executed(outcome),
      output: (bytes) => this.#observer.output(bytes),
      limitHit: (limit) => this.#observer.limitHit(limit),
      rolledBack: (snapshot) => this.#observer.rolledBack(snapshot),
      failed: (what, error) => this.#observer.failed(what, error),
    };
  }

  async #removeFolder(directory: string): Promise<void> {
    await removeTree(directory).catch((error: unknown) =>
      this.#observer.failed("a session's folder could not be removed", error),
    );
  }

  get #isEmpty(): boolean {
    return this.#live.size + this.#creating.size + this.#closing === 0;
  }

  #tellEmptied(): void {
    if (this.#isEmpty) for (const tell of this.#emptied) tell();
  }

  #expire(): void {
    const now = Date.now();
    const { maxLifetimeSeconds } = this.#config.spec.sessions;
    for (const session of this.#live.values()) {
      const idle =
        session.state === 'idle' && now - session.lastActivityAt.getTime() > session.idleTimeoutSeconds * 1000;
      const old = now - session.createdAt.getTime() > maxLifetimeSeconds * 1000;
      if (idle || old) void session.close('expired');
    }
  }
}
