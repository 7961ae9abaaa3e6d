import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type AgentEndpoint, decodeOwner, type LinkSession, OWNER_HEADER, type Session } from '@replpool/protocol';
import { WebSocketServer } from 'ws';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
type Handler = (req: IncomingMessage, res: ServerResponse, body: () => Promise<Buffer>) => void | Promise<void>;

let created = 0;

/**
 * NOT the agent: a small server with an agent's stream, sessions and channel over real sockets, for the router's tests.
 * `handle` replaces what it does with requests, `creating` may refuse a creation with a status; `silence()` lets it live
 * without a word until `speak()`, `kill()` cuts everything. That a real agent does alike is tested in
 * cli/test/router-and-agent.test.ts.
 */
export class FakeAgent implements AsyncDisposable {
  readonly pod: string;
  readonly pool: string;
  readonly token = 'agent-token';
  readonly sessions = new Map<string, { link: LinkSession; session: Session }>();
  readonly seen: Seen[] = [];
  handle: Handler | undefined;
  creating: (() => Promise<number | undefined>) | undefined;
  full = false;
  refuseUpgrades = false;
  /** Bytes that came on a connection whose upgrade was refused. */
  afterRefusal = 0;
  ready = true;
  #server: Server | undefined;
  #port = 0;
  readonly #streams = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  #heartbeat: NodeJS.Timeout | undefined;
  #silent = false;

  constructor(pod: string, pool = 'data') {
    this.pod = pod;
    this.pool = pool;
  }

  get endpoint(): AgentEndpoint {
    return { pod: this.pod, pool: this.pool, url: `http://127.0.0.1:${this.#port}`, token: this.token };
  }

  async start(): Promise<this> {
    const server = createServer((req, res) => {
      this.#answer(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
    });
    const channel = new WebSocketServer({ noServer: true });
    server.on('upgrade', (req, socket, head) => {
      this.#see(req, '');
      if (this.refuseUpgrades) {
        this.afterRefusal += head.length;
        socket.on('data', (chunk: Buffer) => {
          this.afterRefusal += chunk.length;
        });
        socket.write('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
        setTimeout(() => socket.end(), 300);
        return;
      }
      channel.handleUpgrade(req, socket, head, (ws) => {
        ws.send(JSON.stringify({ type: 'hello' }));
        ws.on('message', (data, binary) => ws.send(data, { binary }));
      });
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.speak();
    return this;
  }

  say(message: object): void {
    for (const stream of this.#streams) stream.write(`${JSON.stringify(message)}\n`);
  }

  /** Lives, holds its connections, says nothing any more. */
  silence(): void {
    clearInterval(this.#heartbeat);
    this.#silent = true;
  }

  speak(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => this.say({ type: 'heartbeat' }), 1_000);
    this.#silent = false;
  }

  async kill(): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#server?.listening ? this.#server.close(() => resolve()) : resolve()));
    this.#streams.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  add(id: string, owner: string, labels: Record<string, string> = {}): Session {
    const link: LinkSession = { id, epoch: 1, state: 'idle', owner, labels, stateEpoch: 1 };
    const createdAt = new Date(Date.UTC(2026, 0, 1) + created++).toISOString();
    const session: Session = {
      id,
      pool: this.pool,
      template: 'default',
      labels,
      state: 'idle',
      epoch: 1,
      stateEpoch: 1,
      keepSnapshots: 0,
      undoable: 0,
      pod: this.pod,
      createdAt,
      lastActivityAt: createdAt,
      executionCount: 0,
      isolation: { requested: 'None', effective: 'None', cgroups: 'none', missing: [] },
      limits: {
        memory: '512Mi',
        cpu: '1',
        executionSeconds: 30,
        maxExecutionSeconds: 3600,
        snapshotMaxBytes: 1,
        fileDescriptors: 100,
        processes: 64,
        disk: '1Gi',
        outputBytes: 1,
      },
      usage: { cpuMs: 0, wallMs: 0, maxRssBytes: 0 },
    };
    this.sessions.set(id, { link, session });
    this.say({ type: 'session', session: link });
    return session;
  }

  get #readiness(): object {
    const active = this.sessions.size;
    const free = this.full ? 0 : 10 - active;
    const capacity = { sessions: 10, active, busy: 0, warm: 1, free, hits: active, misses: 0 };
    return { ready: this.ready, draining: false, capacity };
  }

  #see(req: IncomingMessage, body: string): void {
    this.seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (this.#silent) return;
    if (req.headers.authorization !== `Bearer ${this.token}`) {
      json(res, 401, { code: 'UNAUTHENTICATED' });
      return;
    }
    const url = new URL(req.url ?? '', 'http://agent');
    if (url.pathname === '/internal/v1/stream') {
      const sessions = [...this.sessions.values()].map(({ link }) => link);
      res.write(
        `${JSON.stringify({ type: 'snapshot', pod: this.pod, pool: this.pool, ...this.#readiness, sessions })}\n`,
      );
      this.#streams.add(res);
      return;
    }
    if (this.handle !== undefined) {
      await this.handle(req, res, () => read(req));
      return;
    }
    const body = (await read(req)).toString();
    this.#see(req, body);
    await this.#api(req, res, url, body);
  }

  async #api(req: IncomingMessage, res: ServerResponse, url: URL, body: string): Promise<void> {
    const header = req.headers[OWNER_HEADER];
    const owner = header === undefined ? undefined : decodeOwner(String(header));
    if (url.pathname === '/v1/sessions' && req.method === 'POST') {
      const refused = await this.creating?.();
      if (refused !== undefined) {
        json(res, refused, {});
        return;
      }
      if (this.full) {
        json(res, 429, { code: 'POOL_EXHAUSTED' });
        return;
      }
      const { id, labels } = JSON.parse(body) as { id: string; labels?: Record<string, string> };
      const known = this.sessions.get(id);
      if (known !== undefined && known.link.owner !== owner) json(res, 403, { code: 'FORBIDDEN' });
      else json(res, known ? 200 : 201, known?.session ?? this.add(id, owner ?? 'anonymous', labels));
      return;
    }
    if (url.pathname === '/v1/sessions') {
      const visible = [...this.sessions.values()].filter(({ link }) => owner === undefined || link.owner === owner);
      const items = visible.map((it) => it.session);
      json(res, 200, { items });
      return;
    }
    const session = this.sessions.get(url.pathname.split('/')[3] ?? '');
    if (session === undefined) {
      json(res, 404, { code: 'SESSION_NOT_FOUND' });
      return;
    }
    if (req.method === 'DELETE' && url.pathname.split('/').length === 4) {
      this.sessions.delete(session.session.id);
      this.say({ type: 'session_gone', id: session.session.id, reason: 'deleted' });
      res.writeHead(204).end();
      return;
    }
    if (req.method === 'POST' && url.pathname.endsWith('/fork')) {
      const { count = 1 } = JSON.parse(body || '{}') as { count?: number };
      const items = Array.from({ length: count }, () => this.add(randomUUID(), session.link.owner));
      json(res, 201, { items });
      return;
    }
    json(res, 200, session.session);
  }
}

function json(res: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
}

async function read(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks);
}
