import {
  INTERNAL_DRAIN_PATH,
  INTERNAL_METRICS_PATH,
  invalidRequest,
  matchPath,
  openApiDocument,
} from '@replpool/protocol';
import { type HealthSource, notServed, pathOf } from '@replpool/service';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { AgentMetrics } from '../metrics.ts';
import type { Sessions } from '../sessions.ts';
import { checkCaller, type IsAuthorized } from './caller.ts';
import { executionRoutes } from './execution-routes.ts';
import { fileRoutes } from './file-routes.ts';
import { introspectionRoutes } from './introspection-routes.ts';
import type { LinkStream } from './link-stream.ts';
import { poolRoutes } from './pool-routes.ts';
import { problemHandler } from './problem.ts';
import { runRoute } from './run-route.ts';
import { sessionRoutes } from './session-routes.ts';

export function createApp(parts: {
  pod: string;
  pool: string;
  isAuthorized: IsAuthorized;
  sessions: Sessions;
  link: LinkStream;
  metrics: AgentMetrics;
  health: HealthSource;
  log: Logger;
}): Express {
  const { pod, pool, isAuthorized, sessions, link, metrics, health, log } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/readyz', (_request, response) => {
    const refused = health.notReady();
    if (refused !== undefined) throw refused;
    response.json({ status: 'ok' });
  });
  app.get('/metrics', async (_request, response) => {
    const { contentType, text } = await health.metrics();
    response.type(contentType).send(text);
  });
  app.get('/openapi.json', (_request, response) => {
    response.json(openApiDocument());
  });
  app.use((request, _response, next) => {
    checkCaller(isAuthorized, request);
    next();
  });
  app.use(link.routes());
  app.post(INTERNAL_DRAIN_PATH, (request, response) => {
    const asked = request.query.pod;
    if (asked !== undefined && asked !== pod) throw invalidRequest('pod', `this is the agent of ${pod}`);
    sessions.drain();
    response.json(sessions.capacity());
  });
  app.get(INTERNAL_METRICS_PATH, async (_request, response) => {
    response.json(await metrics.own());
  });
  // The paths and methods that there are: what follows need not say it again, and a HEAD of a GET is one.
  app.use((request, _response, next) => {
    const refused = notServed(request, matchPath(pathOf(request)));
    if (refused !== undefined) throw refused;
    next();
  });
  app.use(
    poolRoutes(pool, sessions),
    executionRoutes(sessions),
    sessionRoutes(sessions),
    introspectionRoutes(sessions),
    fileRoutes(sessions),
    runRoute(sessions),
  );
  app.use(() => {
    throw invalidRequest('upgrade', 'the channel is opened by an upgrade to websocket');
  });
  app.use(problemHandler(log));
  return app;
}
