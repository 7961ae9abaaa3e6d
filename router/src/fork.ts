import type { ServerResponse } from 'node:http';
import { parse, ReplPoolError, sessionSchema } from '@replpool/protocol';
import { z } from 'zod';
import type { AgentDirectory } from './agent-directory.ts';
import { agentUnavailable } from './agent-failure.ts';
import type { Caller } from './auth/caller.ts';
import { audit, type RouterContext } from './context.ts';
import { type Found, locate } from './locate.ts';
import { type Held, sendHeld } from './send-held.ts';
import { choosePool } from './visible-pools.ts';

/** What is read of the copies; no more of them than `forkSessionSchema` lets anybody ask for. */
const copiesSchema = z.looseObject({
  items: z.array(sessionSchema.pick({ id: true, epoch: true }).loose()).max(64),
});

/** The live copies of a session that an agent answered with. */
export interface Forked {
  /** The session that was copied, and where it is. */
  readonly id: string;
  readonly found: Found;
  readonly answer: Held;
}

/** Whether a request to a session makes copies of it. @param rest the path behind the session's id */
export const isFork = (method: string, rest: string): boolean => method === 'POST' && rest === '/fork';

/** Where the session is that is to be copied, or why the caller cannot. Copies are sessions, so it takes the right to make them there besides. */
export async function locateToFork(
  directory: AgentDirectory,
  id: string,
  caller: Caller,
): Promise<Found | ReplPoolError> {
  const found = await locate(directory, id, caller, 'connect');
  if (found instanceof ReplPoolError) return found;
  const { pool } = found.agent;
  const allowed = await choosePool(caller, [{ pool, isHeard: true }], pool, 'create');
  return allowed instanceof ReplPoolError ? allowed : found;
}

/**
 * Passes the copies on to the client; from then on they are known here. They belong to the owner of the session.
 * @throws ReplPoolError AGENT_UNAVAILABLE where the answer is none
 */
export function answerForked(context: RouterContext, caller: Caller, forked: Forked, res: ServerResponse): void {
  const { id, found, answer } = forked;
  const { agent, owner } = found;
  for (const copy of copiesIn(answer, agent.pod)) {
    if (owner !== undefined) context.directory.forked(agent, { ...copy, owner });
    audit(context.log, 'create', {
      caller: caller.name,
      ...{ owner, pool: agent.pool, session: copy.id, forkedFrom: id },
    });
  }
  sendHeld(res, answer);
}

function copiesIn({ body }: Held, pod: string): z.infer<typeof copiesSchema>['items'] {
  try {
    return parse(copiesSchema, JSON.parse(body.toString()), 'agent').items;
  } catch (cause) {
    throw agentUnavailable(pod, cause);
  }
}
