import {
  endTransactionSchema,
  forkSessionSchema,
  type InputRequest,
  inputRequestSchema,
  parse,
  patchSessionSchema,
  sessionListQuerySchema,
  undoSchema,
} from '@replpool/protocol';
import { pageOf } from '@replpool/service';
import { type Request, Router } from 'express';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../sessions.ts';
import { readBody } from './body.ts';
import { createSession } from './create-session.ts';
import { callerOf, checkEpoch, checkOwner } from './owner.ts';

/** Finds the session that a path names. @throws ReplPoolError SESSION_NOT_FOUND, SESSION_LOST, FORBIDDEN, WRONG_OWNER */
export type FindSession = (request: Request) => Session;

export function findSession(sessions: Sessions): FindSession {
  return (request) => {
    const session = sessions.get(String(request.params.id));
    checkOwner(request, session);
    checkEpoch(request, session);
    return session;
  };
}

/** Sessions themselves: create, list, read, change, delete, interrupt, restart. */
export function sessionRoutes(sessions: Sessions): Router {
  const router = Router();
  const find = findSession(sessions);
  router.post('/v1/sessions', createSession(sessions));
  router.get('/v1/sessions', (request, response) => {
    const query = parse(sessionListQuerySchema, request.query, 'query');
    const caller = callerOf(request);
    const visible = sessions.list().filter((session) => caller === undefined || session.owner === caller);
    response.json(
      pageOf(
        visible.map((session) => session.toResource()),
        query,
      ),
    );
  });
  router.get('/v1/sessions/:id', async (request, response) => {
    const session = find(request);
    await session.measure();
    response.json(session.toResource());
  });
  router.patch('/v1/sessions/:id', async (request, response) => {
    const session = find(request);
    const patch = await readBody(request, patchSessionSchema);
    session.patch(patch);
    response.json(session.toResource());
  });
  router.delete('/v1/sessions/:id', async (request, response) => {
    await find(request).close('deleted');
    response.status(204).end();
  });
  router.post('/v1/sessions/:id/interrupt', (request, response) => {
    find(request).executions.interrupt();
    response.status(204).end();
  });
  router.post('/v1/sessions/:id/restart', async (request, response) => {
    await find(request).restart();
    // Anew, for it may have ended meanwhile.
    response.json(find(request).toResource());
  });
  for (const how of ['commit', 'rollback'] as const) {
    router.post(`/v1/sessions/:id/transaction/${how}`, async (request, response) => {
      const session = find(request);
      const { transaction } = await readBody(request, endTransactionSchema);
      response.json(await session.executions.endTransaction(how, transaction));
    });
  }
  router.post('/v1/sessions/:id/undo', async (request, response) => {
    const session = find(request);
    const { executions } = await readBody(request, undoSchema);
    response.json(await session.executions.undo(executions));
  });
  router.post('/v1/sessions/:id/fork', async (request, response) => {
    const session = find(request);
    const branches = await sessions.fork(session, await readBody(request, forkSessionSchema));
    response.status(201).json({ items: branches.map((branch) => branch.toResource()) });
  });
  router.post('/v1/sessions/:id/executions/:execution/input', async (request, response) => {
    const session = find(request);
    const answer: InputRequest = await readBody(request, inputRequestSchema);
    session.executions.history.get(String(request.params.execution));
    session.executions.answerInput(String(request.params.execution), answer);
    response.status(204).end();
  });
  return router;
}
