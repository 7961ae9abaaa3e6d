import { createServer, type Server } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '@replpool/kube';
import { type AgentEndpoint, ReplPoolError, type RouterConfig } from '@replpool/protocol';
import {
  closeServer,
  expiryOf,
  followTls,
  listen,
  observeExpiry,
  REQUEST_TIMEOUT_MS,
  serveHealth,
} from '@replpool/service';
import { type Logger, pino } from 'pino';
import { AgentDirectory } from './agent-directory.ts';
import { createApp } from './app.ts';
import { openAuthenticator } from './auth/open-authenticator.ts';
import { Channels } from './channel.ts';
import { Cluster } from './cluster.ts';
import type { RouterContext } from './context.ts';
import { Creations } from './create.ts';
import { defaultPoolOf } from './default-pool.ts';
import { Discovery } from './discovery/discovery.ts';
import { Answers } from './drain/answers.ts';
import { drain } from './drain/drain.ts';
import { FrontDoor } from './front-door.ts';
import { isLoopbackName } from './loopback.ts';
import { RouterMetrics } from './metrics.ts';
import { Readiness } from './readiness.ts';

/** In-flight requests get this long at the end. */
const CLOSE_MS = 3_000;
const DRAIN_SECONDS = 30;
const DRAIN_DELAY_SECONDS = 5;

/** A running router. */
export interface Router extends AsyncDisposable {
  readonly port: number;
  /** Where the configuration has `health`. */
  readonly healthPort: number | undefined;
  /** The agents that there are from now on. */
  setAgents(agents: readonly AgentEndpoint[]): void;
  /** Ends when what is under way has, within the configuration's `drainSeconds`, or at once by `close`. */
  drain(): Promise<void>;
  /** Ends within three seconds. */
  close(): Promise<void>;
}

export interface RouterOptions {
  readonly log?: Logger;
  /** Called whenever an agent begins to take sessions. */
  readonly agentReady?: (pod: string) => void;
  /** How the API server is reached, where it is needed; by default as in a pod, or as $KUBECONFIG says. */
  readonly kubeConfig?: KubeConfig;
  /** By which what the API server allowed grows old; the system's by default. */
  readonly clock?: Clock;
}

/** Starts a router; resolves when it listens. Rejects when mode `none` would be reachable from elsewhere. */
export async function startRouter(config: RouterConfig, options: RouterOptions = {}): Promise<Router> {
  refuseOpenDoor(config);
  const { log = pino({ level: 'silent' }), agentReady, kubeConfig, clock } = options;
  // Whatever was begun ends in the reverse order, also where the next step fails.
  await using begun = new AsyncDisposableStack();
  const tls = config.agentTls && begun.use(await followTls(config.agentTls, log));
  const directory = begun.use(new AgentDirectory(log, agentReady, tls));
  const metrics = new RouterMetrics(directory, log, config.includeAgentMetrics ?? false);
  directory.lost = (pool) => metrics.lost(pool);
  if (tls) begun.use(observeExpiry(metrics.registry, () => [expiryOf(tls.material.cert)]));
  const cluster = begun.use(new Cluster(kubeConfig, metrics.registry));
  const authenticator = begun.use(await openAuthenticator(config.auth, () => cluster.client, log, clock));
  const readiness = new Readiness({ directory, authenticator, discovers: config.discovery !== undefined });
  const defaultPool = () => defaultPoolOf(config, directory.agents);
  const context: RouterContext = { directory, authenticator, metrics, log, defaultPool };
  const source = {
    notReady: () => readiness.notReady(),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
  };
  const app = createApp(context, new Creations(context), source);
  const health = config.health && begun.use(await serveHealth(config.health, source));
  const answers = new Answers();
  const channels = new Channels(context);
  const server = serverOf(new FrontDoor(context, app, config, answers), channels);
  const port = await listen(server, config.listen);
  begun.defer(() => closeServer(server, CLOSE_MS));
  begun.defer(() => channels.closeAll());
  if (config.agents !== undefined) directory.setAgents(config.agents);
  if (config.discovery !== undefined) {
    const found = (agents: AgentEndpoint[]) => directory.setAgents(agents);
    const { client, watchMetrics } = cluster;
    begun.use(new Discovery({ ...{ client, log, found }, config: config.discovery, metrics: watchMetrics }));
  }
  return runningRouter(begun.move(), port, health?.port, directory, (signal) =>
    drain(
      {
        ...{ server, readiness, answers, channels, directory, log },
        seconds: config.drainSeconds ?? DRAIN_SECONDS,
        delaySeconds: config.drainDelaySeconds ?? DRAIN_DELAY_SECONDS,
      },
      signal,
    ),
  );
}

function runningRouter(
  all: AsyncDisposableStack,
  port: number,
  healthPort: number | undefined,
  directory: AgentDirectory,
  drainUntil: (signal: AbortSignal) => Promise<void>,
): Router {
  const closing = new AbortController();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing.abort();
    closed ??= all.disposeAsync();
    return closed;
  };
  let drained: Promise<void> | undefined;
  return {
    port,
    healthPort,
    setAgents: (agents) => directory.setAgents(agents),
    drain: () => {
      drained ??= drainUntil(closing.signal).then(close);
      return drained;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function refuseOpenDoor({ auth, listen: { host } }: RouterConfig): void {
  if (auth.mode !== 'none' || isLoopbackName(host)) return;
  throw new ReplPoolError('FORBIDDEN', `mode none does not listen on ${host}`, {
    why: 'without authentication whoever reaches the port may run code',
    how: 'Listen on 127.0.0.1, or use another auth mode, such as apiKeys.',
  });
}

function serverOf(door: FrontDoor, channels: Channels): Server {
  const server = createServer({
    noDelay: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: 65_000,
    // Other upgrades, such as curl's offer of h2c, are ignored as RFC 9110 section 7.8 allows.
    shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.on('request', (req, res) => door.answer(req, res));
  server.on('upgrade', (req, socket, head) => channels.upgrade(req, socket, head));
  return server;
}
