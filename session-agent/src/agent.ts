import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type AgentConfig, chooseSubprotocol, invalidRequest, ReplPoolError } from '@replpool/protocol';
import {
  closeServer,
  type HealthSource,
  listen,
  observeExpiry,
  pathOf,
  refuseUpgrade,
  serveHealth,
  toReplPoolError,
} from '@replpool/service';
import type { Logger } from 'pino';
import { openCgroups } from './cgroup/open-cgroups.ts';
import { createApp } from './http/app.ts';
import { checkCaller, type IsAuthorized } from './http/caller.ts';
import { ChannelServer } from './http/channel.ts';
import { LinkStream } from './http/link-stream.ts';
import { checkEpoch, checkOwner } from './http/owner.ts';
import { createAgentServer } from './http/server.ts';
import { isolationOf } from './isolation.ts';
import { AgentMetrics } from './metrics.ts';
import { templatesOf } from './pool/template.ts';
import { Zygote } from './pool/zygote.ts';
import { RecentAcquisitions } from './recent-acquisitions.ts';
import { openRunDirectory } from './run-directory.ts';
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

/** Answers under way get this long at the end, when all sessions have ended. */
const CLOSE_MS = 1_000;

export interface RunningAgent {
  readonly port: number;
  /** Where the configuration has `health`. */
  readonly healthPort: number | undefined;
  /**
   * Admits no new session; those that there are stay usable. Resolves when none is left, or the pool's `update.drainSeconds` after it was
   * first told to drain; `close` then ends the rest with the reason `drain`.
   */
  drain(): Promise<void>;
  /** Ends all sessions and every process; resolves when none is left. */
  close(): Promise<void>;
}

/** @throws ReplPoolError INVALID_REQUEST where the pool demands what this agent cannot enforce */
export async function startAgent(config: AgentConfig, log: Logger, events: AgentEvents): Promise<RunningAgent> {
  // What was started is ended in the opposite order, after a start that failed half way too.
  await using started = new AsyncDisposableStack();
  const cgroups = await openCgroups(config.spec.isolation.cgroups, config.delegation, log);
  if (cgroups) started.use(cgroups);
  const isolation = isolationOf(config.spec, cgroups);
  started.use(await openRunDirectory(config.runDirectory));
  const hub = await WorkerHub.listen(join(config.runDirectory, 'agent.sock'));
  started.defer(() => hub.close());
  let closing = false;
  const lost = (error: Error) => {
    if (!closing) events.lost(error);
  };
  const command = config.launcher ?? [config.python, '-m', 'replpool_worker', 'launcher'];
  const launcher = await Launcher.start(command, lost, log);
  started.defer(() => launcher.shutdown());
  const zygotes: Zygote[] = [];
  const metrics = new AgentMetrics(config, () => sessions.list().map((session) => session.state));
  const sessions = new Sessions(config, isolation, zygotes, {
    created: (session, warm, seconds) => {
      metrics.created(warm, seconds);
      recent.observe(warm, seconds);
      link.created(session);
    },
    forked: (session) => link.created(session),
    changed: (session) => link.changed(session),
    draining: () => link.readinessChanged(),
    gone: (id, reason) => {
      if (reason !== 'deleted' && reason !== 'expired') metrics.lost(reason);
      link.gone(id, reason);
    },
    executed: ({ status, durationMs }) =>
      metrics.executed(status, durationMs === undefined ? undefined : durationMs / 1000),
    output: (bytes) => metrics.output(bytes),
    limitHit: (limit) => metrics.limitHit(limit),
    rolledBack: (snapshot) => metrics.rolledBack(snapshot),
    failed: (what, err) => log.error({ err }, what),
  });
  const recent = new RecentAcquisitions();
  const link = new LinkStream(config, sessions, {
    isolation,
    acquired: () => recent.summary,
    failures: () => zygotes.flatMap((zygote) => zygote.problem ?? []),
  });
  started.use(link);
  started.defer(() => {
    for (const zygote of zygotes) zygote.close();
  });
  started.defer(() => sessions.close());
  let announced = false;
  for (const template of templatesOf(config.spec)) {
    zygotes.push(
      new Zygote({
        template,
        launcher,
        hub,
        cgroups,
        runDirectory: config.runDirectory,
        environmentFolder: config.environment,
        minIdle: config.spec.sessions.minIdle,
        log,
        changed: () => {
          link.readinessChanged();
          if (announced || !zygotes.every((zygote) => zygote.state === 'ready')) return;
          announced = true;
          events.ready();
        },
        failed: (message) => events.failed(`template ${template.name}: ${message}`),
        capacityChanged: () => link.capacityChanged(),
      }),
    );
  }
  const source = healthOf(sessions, metrics);
  const health = config.health && started.use(await serveHealth(config.health, source));
  const port = await serve(config, { sessions, link, metrics, health: source, log }, started);
  const running = started.move();
  return {
    port,
    healthPort: health?.port,
    drain: async () => {
      // The operator may have told it long before the kubelet does, and clients have one deadline.
      const until = sessions.drain() + config.spec.update.drainSeconds * 1000;
      await sessions.emptied(AbortSignal.timeout(Math.max(0, Math.ceil(until - performance.now()))));
    },
    close: async () => {
      closing = true;
      // First, so that clients hear of it before their connections end.
      await sessions.close();
      await running.disposeAsync();
    },
  };
}

function healthOf(sessions: Sessions, metrics: AgentMetrics): HealthSource {
  return {
    // Once warm it stays ready, when full and while it drains too: its sessions must be found.
    notReady: () => (sessions.warmedOnce ? undefined : new ReplPoolError('WARMING', 'no template has warmed up yet')),
    metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
  };
}

async function serve(
  config: AgentConfig,
  parts: { sessions: Sessions; link: LinkStream; metrics: AgentMetrics; health: HealthSource; log: Logger },
  started: AsyncDisposableStack,
): Promise<number> {
  const { server, isAuthorized, expiries } = started.use(await createAgentServer(config, parts.log));
  started.use(observeExpiry(parts.metrics.registry, expiries));
  const channels = new ChannelServer();
  server.on('request', createApp({ pod: config.pod, pool: config.pool, isAuthorized, ...parts }));
  server.on('upgrade', (request, socket, head) => {
    try {
      channels.accept(request, socket, head, admitChannel(request, isAuthorized, parts.sessions));
    } catch (error) {
      refuseUpgrade(socket, toReplPoolError(error));
    }
  });
  const port = await listen(server, config.listen);
  started.defer(async () => {
    channels.close();
    // The routers' streams would hold it open.
    parts.link[Symbol.dispose]();
    await closeServer(server, CLOSE_MS);
  });
  return port;
}

function admitChannel(request: IncomingMessage, isAuthorized: IsAuthorized, sessions: Sessions): Session {
  checkCaller(isAuthorized, request);
  const path = pathOf(request);
  const id = CHANNEL_PATH.exec(path)?.[1];
  if (id === undefined) throw new ReplPoolError('NOT_FOUND', `no channel is served at ${path}`);
  if (request.method !== 'GET') {
    throw new ReplPoolError('METHOD_NOT_ALLOWED', 'a channel is opened by GET', { details: { allow: ['GET'] } });
  }
  const session = sessions.get(id);
  checkOwner(request, session);
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
