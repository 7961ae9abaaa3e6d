import { ReplPoolError } from '@replpool/protocol';
import { sendProblem, toReplPoolError } from '@replpool/service';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';

/** Answers what a route threw. */
export function problemHandler(log: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => {
    // Express says so of a path with a broken escape.
    const known =
      error instanceof URIError
        ? new ReplPoolError('INVALID_REQUEST', 'the path is not valid UTF-8', { details: { field: 'path' } })
        : error;
    const problem = toReplPoolError(known);
    if (problem.code === 'INTERNAL') log.error({ err: error, path: request.path }, 'request failed');
    sendProblem(response, problem);
  };
}
