import { createServer, type ServerResponse } from 'node:http';
import { type Listen, ReplPoolError } from '@replpool/protocol';
import { closeServer } from './close-server.ts';
import { listen } from './listen.ts';
import { sendProblem, toReplPoolError } from './problem.ts';
import { pathOf } from './request-path.ts';

/** A scrape that is under way gets this long at the end. */
const CLOSE_MS = 500;

/** What a server knows of itself. */
export interface HealthSource {
  /** Why it is not ready yet; undefined where it is. */
  notReady(): ReplPoolError | undefined;
  metrics(): Promise<{ contentType: string; text: string }>;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/** Serves `/healthz`, `/readyz` and `/metrics` without authentication, apart from the port that clients reach. */
export async function serveHealth(at: Listen, source: HealthSource): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(pathOf(request), request.method ?? '', source, response).catch((error: unknown) =>
      sendProblem(response, toReplPoolError(error)),
    );
  });
  const port = await listen(server, at);
  return { port, [Symbol.asyncDispose]: () => closeServer(server, CLOSE_MS) };
}

const paths = new Set(['/healthz', '/readyz', '/metrics']);

async function answer(path: string, method: string, source: HealthSource, response: ServerResponse): Promise<void> {
  if (!paths.has(path)) throw new ReplPoolError('NOT_FOUND', `this port has no ${path}`);
  if (method !== 'GET' && method !== 'HEAD') {
    throw new ReplPoolError('METHOD_NOT_ALLOWED', `${path} is only read`, { details: { allow: ['GET', 'HEAD'] } });
  }
  if (path === '/metrics') {
    const { contentType, text } = await source.metrics();
    response.setHeader('content-type', contentType).end(text);
    return;
  }
  const refused = path === '/readyz' ? source.notReady() : undefined;
  if (refused !== undefined) throw refused;
  response.setHeader('content-type', 'application/json').end('{"status":"ok"}');
}
