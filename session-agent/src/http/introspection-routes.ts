import { introspectRequestSchema } from '@replpool/protocol';
import { Router } from 'express';
import type { Sessions } from '../sessions.ts';
import { readBody } from './body.ts';
import { findSession } from './session-routes.ts';

/** What the live namespace holds: variables, completions, documentation. */
export function introspectionRoutes(sessions: Sessions): Router {
  const router = Router();
  const find = findSession(sessions);
  router.get('/v1/sessions/:id/variables', async (request, response) => {
    response.json(await find(request).ask({ type: 'variables' }));
  });
  router.get('/v1/sessions/:id/variables/:name', async (request, response) => {
    response.json(await find(request).ask({ type: 'variables', name: request.params.name }));
  });
  for (const type of ['complete', 'inspect'] as const) {
    router.post(`/v1/sessions/:id/${type}`, async (request, response) => {
      const session = find(request);
      const { code, cursor } = await readBody(request, introspectRequestSchema);
      response.json(await session.ask({ type, code, cursor }));
    });
  }
  return router;
}
