import type { IncomingMessage, ServerResponse } from 'node:http';
import { ReplPoolError } from '@replpool/protocol';
import { announcedTooLarge, bodyTooLarge, readBytes, sendProblem } from '@replpool/service';
import { failureOf } from './agent-failure.ts';
import { verbOf } from './auth/access.ts';
import type { Caller } from './auth/caller.ts';
import { audit, auditDenied, type RouterContext } from './context.ts';
import { answerForked, isFork, locateToFork } from './fork.ts';
import { forward } from './forward.ts';
import { requestHeaders } from './forward-headers.ts';
import { locate } from './locate.ts';
import type { SessionPath } from './session-path.ts';

/** A body up to this size is read whole and sent with its head in one packet; larger ones stream. */
const SMALL_BODY = 64 * 1024;
const TIMEOUT_MS = 60_000;

/** Everything below `/v1/sessions/{id}`: finds the agent and passes request and answer on. The hot path. */
export async function proxySession(
  context: RouterContext,
  caller: Caller,
  path: SessionPath,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { directory, log } = context;
  const { id } = path;
  const method = req.method ?? 'GET';
  const forks = isFork(method, path.rest);
  const found = await (forks
    ? locateToFork(directory, id, caller)
    : locate(directory, id, caller, verbOf(method, path.rest)));
  if (found instanceof ReplPoolError) {
    auditDenied(log, found, { caller: caller.name, session: id });
    sendProblem(res, found);
    return;
  }
  // Files have the session's disk for a limit; every other body is JSON.
  if (!path.rest.startsWith('/files/') && announcedTooLarge(req)) {
    sendProblem(res, bodyTooLarge());
    return;
  }
  const { agent } = found;
  const outcome = await forward(
    agent,
    {
      method,
      path: path.target,
      headers: requestHeaders(req.rawHeaders, { token: agent.endpoint.token, owner: found.owner, epoch: found.epoch }),
      body: await bodyOf(req),
      headersTimeoutMs: answersSoon(method, path.rest) ? TIMEOUT_MS : 0,
      ...(forks && { holds: (status) => status === 201 }),
    },
    res,
  );
  if (outcome.kind === 'failed') sendProblem(res, await failureOf(agent, outcome, id));
  else if (outcome.kind === 'held') answerForked(context, caller, { id, found, answer: outcome }, res);
  else if (outcome.kind === 'broken') log.debug({ err: outcome.error, pod: agent.pod }, 'an answer broke off');
  else if (method === 'DELETE' && path.rest === '' && outcome.status === 204) {
    directory.deleted(id);
    audit(log, 'delete', { caller: caller.name, owner: found.owner, pool: agent.pool, session: id });
  }
}

async function bodyOf(req: IncomingMessage): Promise<Buffer | IncomingMessage | null> {
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  if (encoding !== undefined) return req;
  if (length === undefined || length === '0') return null;
  return Number(length) <= SMALL_BODY ? await readBytes(req) : req;
}

/** An execution may take an hour, and uploads and event streams their time; an agent that cannot answer is noticed by its silence. */
function answersSoon(method: string, rest: string): boolean {
  return method !== 'POST' && method !== 'PUT' && !rest.endsWith('/events');
}
