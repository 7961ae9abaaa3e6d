import { ReplPoolError } from '@replpool/protocol';
import type { Agent } from './agent.ts';
import type { Outcome } from './forward.ts';

/** How long a broken connection waits to learn whether the agent is gone (410) or only the connection (503). */
const VERDICT_MS = 300;

export const sessionLost = (id: string, reason: string, cause?: unknown): ReplPoolError =>
  new ReplPoolError('SESSION_LOST', `session ${id} is lost (${reason})`, { details: { reason }, cause });

export const agentUnavailable = (pod: string, cause?: unknown): ReplPoolError =>
  new ReplPoolError('AGENT_UNAVAILABLE', `the agent ${pod} does not answer`, { cause });

/** What a client is told when the agent of its session did not answer. */
export async function failureOf(
  agent: Agent,
  { error, unsent }: Extract<Outcome, { kind: 'failed' }>,
  session: string | undefined,
): Promise<ReplPoolError> {
  // We cut it ourselves, and said why.
  if (error instanceof ReplPoolError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return new ReplPoolError('AGENT_TIMEOUT', `the agent ${agent.pod} did not answer in time`, { cause: error });
  }
  const gone = agent.gone || (!unsent && (await agent.isGoneWithin(VERDICT_MS)));
  return gone && session !== undefined ? sessionLost(session, 'node', error) : agentUnavailable(agent.pod, error);
}
