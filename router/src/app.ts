import { ReplPoolError } from '@replpool/protocol';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Caller } from './authenticate.ts';
import { audit, type RouterContext } from './context.ts';
import type { Creations } from './create.ts';
import { listSessions } from './list-sessions.ts';
import { readOpenApi } from './openapi.ts';
import { resolvePool } from './placement.ts';
import { summarizePools } from './pool-summary.ts';
import { sendProblem, toReplPoolError } from './problem.ts';

/** Everything but the hot path `/v1/sessions/{id}…`. The caller is in `res.locals.caller`. */
export function createApp(context: RouterContext, creations: Creations): Express {
  const { directory, metrics, log } = context;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('strict routing').enable('case sensitive routing');
  app.set('query parser', false);

  app
    .route('/healthz')
    .get((_req, res) => void res.json({ status: 'ok' }))
    .all(only('GET'));
  app
    .route('/readyz')
    .get((_req, res) => {
      if (!directory.heardOnce) throw new ReplPoolError('WARMING', 'no agent was heard of yet');
      res.json({ status: 'ok' });
    })
    .all(only('GET'));
  app
    .route('/metrics')
    .get(async (_req, res) => void res.setHeader('content-type', metrics.contentType).end(await metrics.text()))
    .all(only('GET'));
  app
    .route('/openapi.json')
    .get(async (_req, res) => void res.setHeader('content-type', 'application/json').end(await readOpenApi()))
    .all(only('GET'));
  app
    .route('/v1/pools')
    .get((_req, res) => void res.json({ items: summarizePools(directory.agents) }))
    .all(only('GET'));
  app
    .route('/v1/pools/:pool')
    .get((req, res) => {
      const pools = summarizePools(directory.agents);
      const name = resolvePool(
        pools.map((pool) => pool.name),
        req.params.pool,
      );
      if (name === undefined) throw new ReplPoolError('POOL_NOT_FOUND', `there is no pool ${req.params.pool}`);
      res.json(pools.find((pool) => pool.name === name));
    })
    .all(only('GET'));
  app
    .route('/v1/sessions')
    .get(async (req, res) => void res.json(await listSessions(directory, callerOf(res), req.originalUrl)))
    .post((req, res) => creations.create(callerOf(res), req, res))
    .all(only('GET', 'POST'));
  app
    .route('/v1/run')
    .post((req, res) => creations.run(callerOf(res), req, res))
    .all(only('POST'));
  app.use((req: Request) => {
    throw new ReplPoolError('NOT_FOUND', `there is no path ${req.path}`);
  });

  app.use((thrown: unknown, req: Request, res: Response, _next: NextFunction) => {
    // Express's own, for a path such as /v1/pools/%zz.
    const undecodable = thrown instanceof URIError;
    const error = undecodable ? new ReplPoolError('NOT_FOUND', 'the path does not decode') : toReplPoolError(thrown);
    if (error.code === 'INTERNAL') log.error({ err: error }, 'a request failed');
    if (error.status === 403) {
      audit(log, 'denied', { owner: callerOf(res).name, code: error.code, method: req.method, path: req.path });
    }
    sendProblem(res, error);
  });
  return app;
}

const callerOf = (res: Response): Caller => res.locals.caller as Caller;

function only(...allow: string[]): (req: Request) => never {
  const all = allow.includes('GET') ? [...allow, 'HEAD'] : allow;
  return (req) => {
    throw new ReplPoolError('METHOD_NOT_ALLOWED', `${req.path} has no ${req.method}`, { details: { allow: all } });
  };
}
