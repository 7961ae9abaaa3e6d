import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ReplPoolError } from '@replpool/protocol';
import { refuseUpgrade, toReplPoolError } from '@replpool/service';
import { agentUnavailable } from './agent-failure.ts';
import { auditDenied, notListed, type RouterContext } from './context.ts';
import { ChannelEnd } from './drain/channel-end.ts';
import { requestHeaders } from './forward-headers.ts';
import { type Found, locate } from './locate.ts';
import { parseSessionPath, type SessionPath } from './session-path.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const LINGER_MS = 1_000;
const SWITCHED = Buffer.from('HTTP/1.1 101');

/** The WebSocket upgrades: after the checks, bytes are passed both ways as they are. */
export class Channels {
  readonly #context: RouterContext;
  /** By the client's socket; with its end once frames are passed. */
  readonly #open = new Map<Duplex, ChannelEnd | undefined>();
  #restarting = false;

  constructor(context: RouterContext) {
    this.#context = context;
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const startedAt = performance.now();
    const done = (code: number): void => this.#context.metrics.observe('/v1/sessions/{id}/channel', code, startedAt);
    this.#open.set(socket, undefined);
    socket.once('close', () => this.#open.delete(socket));
    socket.on('error', () => socket.destroy());
    this.#splice(req, socket, head, () => done(101)).catch((thrown: unknown) => {
      const error = toReplPoolError(thrown);
      if (error.status >= 500) this.#context.log.warn({ err: error }, 'an upgrade failed');
      done(error.status);
      refuseUpgrade(socket, error);
    });
  }

  /** Has all clients come back elsewhere, and those too that open a channel from now on. */
  restartAll(): void {
    this.#restarting = true;
    for (const end of this.#open.values()) end?.end();
  }

  closeAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  async #splice(req: IncomingMessage, client: Duplex, head: Buffer, established: () => void): Promise<void> {
    const path = channelPath(req);
    const found = await this.#find(req, path.id);
    if (client.destroyed) return;
    const upstream = await found.agent.dial(CONNECT_TIMEOUT_MS).catch((cause: unknown) => {
      throw agentUnavailable(found.agent.pod, cause);
    });
    if (client.destroyed) {
      upstream.destroy();
      return;
    }
    const forget = found.agent.whileUp(() => {
      client.destroy();
      upstream.destroy();
    });
    let answered = false;
    client.once('close', () => {
      forget();
      upstream.destroy();
    });
    upstream.once('error', (cause) => {
      if (answered) client.destroy();
      else refuseUpgrade(client, agentUnavailable(found.agent.pod, cause));
    });
    upstream.once('close', () => {
      // What the agent said last, such as the close frame, is still on its way to the client.
      if (answered) client.end();
      else if (!client.writableEnded) refuseUpgrade(client, agentUnavailable(found.agent.pod));
      setTimeout(() => client.destroy(), LINGER_MS).unref();
    });
    if (client instanceof Socket) client.setNoDelay(true);
    // As node:http read them, and as undici writes them.
    upstream.write(upgradeHead(req, path, found), 'latin1');
    upstream.once('data', (first: Buffer) => {
      answered = true;
      client.write(first);
      upstream.pipe(client);
      if (!first.subarray(0, SWITCHED.length).equals(SWITCHED)) {
        // Refused by the agent: its answer goes to the client, but nothing more of the client to the agent, where it
        // would be a request that nobody checked.
        upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy());
        return;
      }
      established();
      if (head.length > 0) upstream.write(head);
      client.pipe(upstream);
      const end = new ChannelEnd(client, upstream, head);
      this.#open.set(client, end);
      if (this.#restarting) end.end();
    });
  }

  async #find(req: IncomingMessage, id: string): Promise<Found> {
    const { authenticator, directory, log } = this.#context;
    const caller = await authenticator.authenticate(req.headers);
    if (caller instanceof ReplPoolError) {
      auditDenied(log, caller, { session: id });
      throw caller;
    }
    const early = notListed(this.#context);
    if (early !== undefined) throw early;
    const found = await locate(directory, id, caller, 'connect');
    if (!(found instanceof ReplPoolError)) return found;
    auditDenied(log, found, { caller: caller.name, session: id });
    throw found;
  }
}

function channelPath(req: IncomingMessage): SessionPath {
  const path = parseSessionPath(req.url ?? '');
  if (path === 'bad-id') throw new ReplPoolError('SESSION_NOT_FOUND', 'the id of a session is a UUID');
  if (typeof path === 'string' || path.rest !== '/channel') {
    throw new ReplPoolError('NOT_FOUND', 'only /v1/sessions/{id}/channel is a WebSocket');
  }
  if (req.method !== 'GET') {
    throw new ReplPoolError('METHOD_NOT_ALLOWED', 'a WebSocket is opened by GET', { details: { allow: ['GET'] } });
  }
  return path;
}

function upgradeHead(req: IncomingMessage, path: SessionPath, { agent, owner, epoch }: Found): string {
  const flat = requestHeaders(req.rawHeaders, { token: agent.endpoint.token, owner, epoch });
  const lines = [`GET ${path.target} HTTP/1.1`, `host: ${new URL(agent.endpoint.url).host}`];
  for (let i = 0; i + 1 < flat.length; i += 2) if (flat[i] !== 'origin') lines.push(`${flat[i]}: ${flat[i + 1]}`);
  lines.push('connection: Upgrade', 'upgrade: websocket', '', '');
  return lines.join('\r\n');
}
