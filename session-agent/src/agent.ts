import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import {
  type AgentConfig,
  chooseSubprotocol,
  invalidRequest,
  PROBLEM_CONTENT_TYPE,
  ReplPoolError,
} from '@replpool/protocol';
import type { Logger } from 'pino';
import { authorizer, createApp, type IsAuthorized } from './http/app.ts';
import { ChannelServer } from './http/channel.ts';
import { LinkStream } from './http/link-stream.ts';
import { checkEpoch } from './http/owner.ts';
import { asReplPoolError } from './http/problem.ts';
import { isolationOf } from './isolation.ts';
import { AgentMetrics } from './metrics.ts';
import { templatesOf } from './pool/template.ts';
import { Zygote } from './pool/zygote.ts';
import type { Session } from './session/session.ts';
import { Sessions } from './sessions.ts';
import { WorkerHub } from './worker/hub.ts';
import { Launcher } from './worker/launcher.ts';

const CHANNEL_PATH = /^\/v1\/sessions\/([^/]+)\/channel$/;

export interface AgentEvents {
  /** Once, when every template has warmed. */
  ready(): void;
  /** A template could not warm. */
  failed(message: string): void;
  /** The launcher died: no session can go on, and the process should end. */
  lost(error: Error): void;
}

export interface RunningAgent {
  readonly port: number;
  /** Ends all sessions and every process; resolves when none is left. */
  close(): Promise<void>;
}

/** @throws ReplPoolError INVALID_REQUEST where the pool demands what this agent cannot enforce */
export async function startAgent(config: AgentConfig, log: Logger, events: AgentEvents): Promise<RunningAgent> {
  const isolation = isolationOf(config.spec);
  await mkdir(config.runDirectory, { recursive: true, mode: 0o700 });
  const hub = await WorkerHub.listen(join(config.runDirectory, 'agent.sock'));
  let closing = false;
  const launcher = await Launcher.start(config.python, (error) => {
    if (!closing) events.lost(error);
  });
  let announced = false;
  const zygotes: Zygote[] = [];
  const changed = () => {
    link.readinessChanged();
    for (const zygote of zygotes)
      if (zygote.state === 'failed') events.failed(`template ${zygote.template.name}: ${zygote.failure}`);
    if (announced || !zygotes.every((zygote) => zygote.state === 'ready')) return;
    announced = true;
    events.ready();
  };
  for (const template of templatesOf(config.spec)) {
    const { minIdle } = config.spec.sessions;
    zygotes.push(new Zygote({ template, launcher, hub, runDirectory: config.runDirectory, minIdle, log, changed }));
  }
  const metrics = new AgentMetrics(config, () => sessions.list().map((session) => session.state));
  const sessions = new Sessions(config, isolation, zygotes, {
    created: (session, warm, seconds) => {
      metrics.created(warm, seconds);
      link.created(session);
    },
    changed: (session) => link.changed(session),
    gone: (id, reason) => {
      if (reason !== 'deleted' && reason !== 'expired') metrics.lost(reason);
      link.gone(id, reason);
    },
    executed: ({ status, durationMs }) =>
      metrics.executed(status, durationMs === undefined ? undefined : durationMs / 1000),
    output: (bytes) => metrics.output(bytes),
    limitHit: (limit) => metrics.limitHit(limit),
  });
  const link = new LinkStream(config, sessions);
  const isAuthorized = authorizer(config.token);
  const channels = new ChannelServer();
  // Executions take as long as they take; a body that trickles in does not.
  const server = createServer(
    { requestTimeout: 300_000, noDelay: true },
    createApp({ isAuthorized, sessions, link, metrics, log }),
  );
  server.on('upgrade', (request, socket, head) => {
    try {
      channels.accept(request, socket, head, admitChannel(request, isAuthorized, sessions));
    } catch (error) {
      refuseUpgrade(socket, error);
    }
  });
  server.listen(config.listen.port, config.listen.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the agent listens on no port');
  return {
    port: address.port,
    close: async () => {
      closing = true;
      await sessions.close();
      for (const zygote of zygotes) zygote.close();
      link[Symbol.dispose]();
      channels.close();
      server.close();
      server.closeAllConnections();
      await launcher.shutdown();
      hub.close();
      await rm(config.runDirectory, { recursive: true, force: true });
    },
  };
}

function admitChannel(request: IncomingMessage, isAuthorized: IsAuthorized, sessions: Sessions): Session {
  if (!isAuthorized(request))
    throw new ReplPoolError('UNAUTHENTICATED', "the request does not carry this agent's token");
  const path = new URL(request.url ?? '', 'http://agent').pathname;
  const id = CHANNEL_PATH.exec(path)?.[1];
  if (id === undefined) throw new ReplPoolError('NOT_FOUND', `no channel is served at ${path}`);
  const session = sessions.get(id);
  checkEpoch(request, session);
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (chooseSubprotocol(offered) === undefined) {
    throw invalidRequest(
      'sec-websocket-protocol',
      `none of the offered subprotocols is known: ${offered.join(', ') || 'none was offered'}`,
    );
  }
  return session;
}

/** Answers an upgrade that was refused as HTTP answers any request. */
function refuseUpgrade(socket: Duplex, error: unknown): void {
  const problem = asReplPoolError(error);
  const body = JSON.stringify(problem.toProblem());
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\ncontent-type: ${PROBLEM_CONTENT_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
