import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_CONTENT_TYPE, ReplPoolError } from '@replpool/protocol';
import { hasErrno } from './errno.ts';

/** How long a client that still sends a refused body is listened to, so that it can read why (RFC 9112 section 9.6). */
const LINGER_MS = 1_000;

/** Any error as one of the registry; what is not one is INTERNAL, and its text stays in our log. */
export function toReplPoolError(error: unknown): ReplPoolError {
  if (error instanceof ReplPoolError) return error;
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new ReplPoolError('INTERNAL', 'a file could not be written', {
      why: 'There is no space left on the disk.',
      how: 'Delete files or sessions that are not needed any more, or give the pool more disk.',
      cause: error,
    });
  }
  return new ReplPoolError('INTERNAL', 'the service failed to answer', { cause: error });
}

/** Answers with the problem; where the answer has begun already, cuts it instead of ending it as if it were whole. */
export function sendProblem(response: ServerResponse, error: ReplPoolError): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(error.toProblem()));
  // What is left of a refused body must not be taken for the next request.
  if (!response.req.readableEnded) response.setHeader('connection', 'close');
  response.writeHead(error.status, problemHeaders(error, body).flat());
  response.end(response.req.method === 'HEAD' ? undefined : body);
  linger(response);
}

/** The same on an upgrade's socket, which has no ServerResponse; the connection ends. */
export function refuseUpgrade(socket: Duplex, error: ReplPoolError): void {
  const body = Buffer.from(JSON.stringify(error.toProblem()));
  const head = problemHeaders(error, body).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nconnection: close\r\n${head.join('')}\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function problemHeaders(error: ReplPoolError, body: Buffer): [string, string][] {
  const headers: [string, string][] = [
    ['content-type', PROBLEM_CONTENT_TYPE],
    ['content-length', String(body.length)],
  ];
  if (error.retryAfterSeconds !== undefined) headers.push(['retry-after', String(error.retryAfterSeconds)]);
  else if (error.status === 429 || error.status === 503) headers.push(['retry-after', '1']);
  if (error.status === 401) headers.push(['www-authenticate', 'Bearer realm="replpool"']);
  const allow = error.code === 'METHOD_NOT_ALLOWED' ? error.details?.allow : undefined;
  if (Array.isArray(allow)) headers.push(['allow', allow.join(', ')]);
  return headers;
}

function linger({ req }: ServerResponse): void {
  if (req.readableEnded || req.destroyed) return;
  const timer = setTimeout(() => req.destroy(), LINGER_MS);
  req.once('close', () => clearTimeout(timer));
  req.once('end', () => clearTimeout(timer));
  req.resume();
}
