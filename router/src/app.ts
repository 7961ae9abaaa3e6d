import { ReplPoolError } from '@replpool/protocol';
import { findPool, type HealthSource, sendProblem, summarizePools, toReplPoolError } from '@replpool/service';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Caller } from './auth/caller.ts';
import { auditDenied, type RouterContext } from './context.ts';
import type { Creations } from './create.ts';
import { listSessions } from './list-sessions.ts';
import { readOpenApi } from './openapi.ts';
import { choosePool, visibleTo } from './visible-pools.ts';

/** Everything but the hot path `/v1/sessions/{id}…`, for paths and methods that there are. The caller is in `res.locals.caller`. */
export function createApp(context: RouterContext, creations: Creations, health: HealthSource): Express {
  const { directory, log } = context;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('strict routing').enable('case sensitive routing');
  app.set('query parser', false);

  app.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
  app.get('/readyz', (_req, res) => {
    const refused = health.notReady();
    if (refused !== undefined) throw refused;
    res.json({ status: 'ok' });
  });
  app.get('/metrics', async (_req, res) => {
    const { contentType, text } = await health.metrics();
    res.setHeader('content-type', contentType).end(text);
  });
  app.get('/openapi.json', async (_req, res) => {
    res.setHeader('content-type', 'application/json').end(await readOpenApi());
  });
  app.get('/v1/pools', async (_req, res) => {
    res.json({ items: summarizePools(await visibleTo(callerOf(res), directory.agents)) });
  });
  app.get('/v1/pools/:pool', async (req, res) => {
    const pool = await choosePool(callerOf(res), directory.pools, req.params.pool);
    if (pool instanceof ReplPoolError) throw pool;
    res.json(findPool(summarizePools(directory.agents), pool));
  });
  app.get('/v1/sessions', async (req, res) => {
    res.json(await listSessions(directory, callerOf(res), req.originalUrl));
  });
  app.post('/v1/sessions', (req, res) => creations.create(callerOf(res), req, res));
  app.post('/v1/run', (req, res) => creations.run(callerOf(res), req, res));

  app.use((thrown: unknown, req: Request, res: Response, _next: NextFunction) => {
    // Express's own, for a path such as /v1/pools/%zz.
    const undecodable = thrown instanceof URIError;
    const error = undecodable ? new ReplPoolError('NOT_FOUND', 'the path does not decode') : toReplPoolError(thrown);
    if (error.code === 'INTERNAL') log.error({ err: error }, 'a request failed');
    auditDenied(log, error, { caller: callerOf(res).name, method: req.method, path: req.path });
    sendProblem(res, error);
  });
  return app;
}

const callerOf = (res: Response): Caller => res.locals.caller as Caller;
