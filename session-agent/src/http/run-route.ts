import { once } from 'node:events';
import { parse, runRequestSchema, SESSION_HEADER, sessionId } from '@replpool/protocol';
import { Router } from 'express';
import type { Sessions } from '../sessions.ts';
import { readBody } from './body.ts';
import { streamExecution, streamFormat } from './event-stream.ts';
import { ownerOf } from './owner.ts';

/** POST /v1/run: a session for one execution, gone when it ended or when nobody waits for it any more. */
export function runRoute(sessions: Sessions): Router {
  const router = Router();
  router.post('/v1/run', async (request, response) => {
    const left = once(response, 'close');
    const { code, timeoutSeconds, stdin, ...create } = await readBody(request, runRequestSchema);
    const id = parse(sessionId.optional(), request.headers[SESSION_HEADER], SESSION_HEADER);
    const { session } = await sessions.create({ ...create, ...(id && { id }) }, ownerOf(request));
    try {
      // Its client may have gone while the session was made.
      if (response.closed) return;
      const submitted = session.executions.submit({
        code,
        ...(timeoutSeconds !== undefined && { timeoutSeconds }),
        ...(stdin !== undefined && { stdin }),
      });
      if (!('run' in submitted)) return;
      const { run } = submitted;
      const format = streamFormat(request);
      if (format) {
        streamExecution(response, { session, execution: run.id, from: run.firstSeq, format });
        await left;
        return;
      }
      const outcome = await Promise.race([run.ended, left]);
      if (!Array.isArray(outcome)) response.json(outcome);
    } finally {
      await session.close('deleted');
    }
  });
  return router;
}
