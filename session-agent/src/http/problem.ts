import type { ServerResponse } from 'node:http';
import { PROBLEM_CONTENT_TYPE, ReplPoolError } from '@replpool/protocol';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';

/** Any error as one of the registry; what is not one is INTERNAL, and its text stays in our log. */
export function asReplPoolError(error: unknown): ReplPoolError {
  if (error instanceof ReplPoolError) return error;
  if (isDiskFull(error)) {
    return new ReplPoolError('INTERNAL', 'the agent could not write a file', {
      why: 'There is no space left on its disk.',
      how: 'Delete files or sessions that are not needed any more, or give the pool more disk.',
      cause: error,
    });
  }
  return new ReplPoolError('INTERNAL', 'the agent failed', { cause: error });
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

export function sendProblem(response: ServerResponse, error: ReplPoolError): void {
  if (response.headersSent) {
    response.destroy(error);
    return;
  }
  response.statusCode = error.status;
  if (error.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(error.retryAfterSeconds));
  response.setHeader('content-type', PROBLEM_CONTENT_TYPE);
  response.end(JSON.stringify(error.toProblem()));
}

export function problemHandler(log: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => {
    // Express says so of a path with a broken escape.
    const known =
      error instanceof URIError
        ? new ReplPoolError('INVALID_REQUEST', 'the path is not valid UTF-8', { details: { field: 'path' } })
        : error;
    const problem = asReplPoolError(known);
    if (problem.code === 'INTERNAL') log.error({ err: error, path: request.path }, 'request failed');
    sendProblem(response, problem);
  };
}
