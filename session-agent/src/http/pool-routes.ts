import type { Pool } from '@replpool/protocol';
import { findPool, summarizePools } from '@replpool/service';
import { Router } from 'express';
import type { Sessions } from '../sessions.ts';

/** The one pool that this agent is of, with what it alone has of it. */
export function poolRoutes(pool: string, sessions: Sessions): Router {
  const router = Router();
  const pools = (): Pool[] =>
    summarizePools([{ pool, up: true, ready: sessions.ready, capacity: sessions.capacity() }]);
  router.get('/v1/pools', (_request, response) => {
    response.json({ items: pools() });
  });
  router.get('/v1/pools/:pool', (request, response) => {
    response.json(findPool(pools(), request.params.pool));
  });
  return router;
}
