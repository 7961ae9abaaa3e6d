import {
  eventsQuerySchema,
  executeQuerySchema,
  executeRequestSchema,
  executionListQuerySchema,
  parse,
} from '@replpool/protocol';
import { Router } from 'express';
import { problemOf } from '../session/not-run.ts';
import type { Sessions } from '../sessions.ts';
import { readBody } from './body.ts';
import { streamExecution, streamFormat } from './event-stream.ts';
import { findSession } from './session-routes.ts';

/** Executions: run, list, read, follow, cancel. */
export function executionRoutes(sessions: Sessions): Router {
  const router = Router();
  const find = findSession(sessions);
  router.post('/v1/sessions/:id/executions', async (request, response) => {
    const session = find(request);
    const { wait } = parse(executeQuerySchema, request.query, 'query');
    const body = await readBody(request, executeRequestSchema);
    const submitted = session.executions.submit(body);
    const format = streamFormat(request);
    const id = 'run' in submitted ? submitted.run.id : submitted.outcome.id;
    if (wait === 'false') response.status(202).json(session.executions.history.get(id));
    else if (format)
      streamExecution(response, { session, execution: id, from: session.executions.history.firstSeq(id), format });
    else {
      const outcome = 'run' in submitted ? await submitted.run.ended : submitted.outcome;
      const notRun = problemOf(outcome);
      if (notRun) throw notRun;
      response.json(outcome);
    }
  });
  router.get('/v1/sessions/:id/executions', async (request, response) => {
    const query = parse(executionListQuerySchema, request.query, 'query');
    response.json(await find(request).executions.history.list(query));
  });
  router.get('/v1/sessions/:id/executions/:execution', (request, response) => {
    response.json(find(request).executions.history.get(request.params.execution));
  });
  router.get('/v1/sessions/:id/executions/:execution/events', (request, response) => {
    const session = find(request);
    const { execution } = request.params;
    const { from } = parse(eventsQuerySchema, request.query, 'query');
    const start = Math.max(session.executions.history.firstSeq(execution), from ?? 0);
    // A HEAD has no events to wait for.
    if (request.method === 'HEAD') response.end();
    else streamExecution(response, { session, execution, from: start, format: streamFormat(request) ?? 'ndjson' });
  });
  router.delete('/v1/sessions/:id/executions/:execution', (request, response) => {
    response.json(find(request).executions.cancel(request.params.execution));
  });
  return router;
}
