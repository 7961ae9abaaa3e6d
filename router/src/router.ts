import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AgentEndpoint, invalidRequest, matchPath, ReplPoolError, type RouterConfig } from '@replpool/protocol';
import {
  closeServer,
  type HealthSource,
  listen,
  notServed,
  pathOf,
  REQUEST_TIMEOUT_MS,
  sendProblem,
  serveHealth,
  toReplPoolError,
} from '@replpool/service';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import { AgentDirectory } from './agent-directory.ts';
import { createApp } from './app.ts';
import { authenticator, type Caller } from './authenticate.ts';
import { Channels } from './channel.ts';
import { audit, type RouterContext } from './context.ts';
import { Creations } from './create.ts';
import { isLoopbackName } from './loopback.ts';
import { RouterMetrics } from './metrics.ts';
import { type PathProblem, parseSessionPath, type SessionPath } from './session-path.ts';
import { proxySession } from './session-proxy.ts';

/** In-flight requests get this long at the end. */
const CLOSE_MS = 3_000;

/** A running router. */
export interface Router extends AsyncDisposable {
  readonly port: number;
  /** Where the configuration has `health`. */
  readonly healthPort: number | undefined;
  /** The agents that there are from now on. */
  setAgents(agents: readonly AgentEndpoint[]): void;
  /** Ends within three seconds. */
  close(): Promise<void>;
}

/**
 * Starts a router; resolves when it listens. Rejects when mode `none` would be reachable from elsewhere.
 * @param agentReady called whenever an agent begins to take sessions
 */
export async function startRouter(
  config: RouterConfig,
  log: Logger = pino({ level: 'silent' }),
  agentReady?: (pod: string) => void,
): Promise<Router> {
  if (config.auth.mode === 'none' && !isLoopbackName(config.listen.host)) {
    throw new ReplPoolError('FORBIDDEN', `mode none does not listen on ${config.listen.host}`, {
      why: 'without authentication whoever reaches the port may run code',
      how: 'Listen on 127.0.0.1, or use auth mode apiKeys.',
    });
  }
  const directory = new AgentDirectory(log, agentReady);
  const metrics = new RouterMetrics(directory, log, config.includeAgentMetrics ?? false);
  directory.lost = (pool) => metrics.lost(pool);
  const context: RouterContext = { directory, metrics, log, authenticate: authenticator(config.auth) };
  const channels = new Channels(context);
  const source = healthOf(context);
  const app = createApp(context, new Creations(context), source);
  const health = config.health && (await serveHealth(config.health, source));
  const server = createServer({
    noDelay: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: 65_000,
    // Other upgrades, such as curl's offer of h2c, are ignored as RFC 9110 section 7.8 allows.
    shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.on('request', (req, res) => {
    answer(context, app, config, req, res);
  });
  server.on('upgrade', (req, socket, head) => channels.upgrade(req, socket, head));
  const port = await listen(server, config.listen).catch(async (error: unknown) => {
    await health?.[Symbol.asyncDispose]();
    throw error;
  });
  directory.setAgents(config.agents);

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      channels.closeAll();
      await closeServer(server, CLOSE_MS);
      await health?.[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    })();
    return closing;
  };
  return {
    port,
    healthPort: health?.port,
    setAgents: (agents) => directory.setAgents(agents),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function healthOf({ directory, metrics }: RouterContext): HealthSource {
  return {
    notReady: () => (directory.heardOnce ? undefined : new ReplPoolError('WARMING', 'no agent was heard of yet')),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
  };
}

function answer(
  context: RouterContext,
  app: Express,
  { auth, health }: RouterConfig,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const startedAt = performance.now();
  const url = req.url ?? '';
  const matched = matchPath(pathOf(req));
  res.once('close', () => {
    // 499 as nginx has it: the client went away before there was a status.
    context.metrics.observe(matched?.path ?? 'other', res.headersSent ? res.statusCode : 499, startedAt);
  });
  // Where metrics have a port of their own, clients get them with a key alone.
  const open = auth.mode !== 'none' && matched?.open === true && !(health && matched.path === '/metrics');
  const caller: Caller | ReplPoolError = open ? { name: '', admin: false } : context.authenticate(req.headers);
  if (caller instanceof ReplPoolError) {
    audit(context.log, 'denied', { code: caller.code, method: req.method ?? '', path: url.slice(0, 200) });
    sendProblem(res, caller);
    return;
  }
  const path = parseSessionPath(url);
  const refused = pathRefusal(path) ?? notServed(req, matched);
  if (refused !== undefined) sendProblem(res, refused);
  else if (typeof path === 'object') {
    proxySession(context, caller, path, req, res).catch((thrown: unknown) => {
      const error = toReplPoolError(thrown);
      if (error.code === 'INTERNAL') context.log.error({ err: error }, 'a request failed');
      sendProblem(res, error);
    });
  } else {
    // Express has no type for locals set from outside before it runs.
    Object.assign(res, { locals: { caller } });
    app(req, res);
  }
}

function pathRefusal(path: SessionPath | PathProblem): ReplPoolError | undefined {
  switch (path) {
    case 'bad-id':
      return new ReplPoolError('SESSION_NOT_FOUND', 'there is no such session', {
        why: 'the id of a session is a UUID',
      });
    case 'dot-segment':
      return invalidRequest('path', 'has a dot segment or a backslash');
    default:
      return undefined;
  }
}
