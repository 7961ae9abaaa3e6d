import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_CONTENT_TYPE, ReplPoolError } from '@replpool/protocol';

/** How long a client that still sends a refused body is listened to, so that it can read why (RFC 9112 section 9.6). */
const LINGER_MS = 1_000;

/** What was thrown, as an error of the registry. */
export function toReplPoolError(error: unknown): ReplPoolError {
  return error instanceof ReplPoolError
    ? error
    : new ReplPoolError('INTERNAL', 'the router failed to answer', { cause: error });
}

function problemHeaders(error: ReplPoolError, body: Buffer): [string, string][] {
  const headers: [string, string][] = [
    ['content-type', PROBLEM_CONTENT_TYPE],
    ['content-length', String(body.length)],
  ];
  if (error.retryAfterSeconds !== undefined) headers.push(['retry-after', String(error.retryAfterSeconds)]);
  else if (error.status === 429 || error.status === 503) headers.push(['retry-after', '1']);
  if (error.status === 401) headers.push(['www-authenticate', 'Bearer realm="replpool"']);
  return headers;
}

/** Answers with the problem; where the answer has begun already, cuts it instead of ending it as if it were whole. */
export function sendProblem(res: ServerResponse, error: ReplPoolError): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(error.toProblem()));
  res.writeHead(error.status, [...problemHeaders(error, body), ...allowHeader(error)].flat());
  res.end(res.req.method === 'HEAD' ? undefined : body);
  linger(res);
}

/** The same on an upgrade's socket, which has no ServerResponse; the connection ends. */
export function refuseUpgrade(socket: Duplex, error: ReplPoolError): void {
  const body = Buffer.from(JSON.stringify(error.toProblem()));
  const head = problemHeaders(error, body).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${error.status} ${error.code}\r\nconnection: close\r\n${head.join('')}\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function allowHeader(error: ReplPoolError): [string, string][] {
  const allow = error.code === 'METHOD_NOT_ALLOWED' ? error.details?.allow : undefined;
  return Array.isArray(allow) ? [['allow', allow.join(', ')]] : [];
}

function linger(res: ServerResponse): void {
  const { req } = res;
  if (req.readableEnded || req.destroyed) return;
  const timer = setTimeout(() => req.destroy(), LINGER_MS);
  req.once('close', () => clearTimeout(timer));
  req.once('end', () => clearTimeout(timer));
  req.resume();
}
