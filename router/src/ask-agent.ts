import type { Agent } from './agent.ts';
import { ownHeaders } from './forward-headers.ts';

export interface Asked {
  readonly status: number;
  readonly body: unknown;
}

/**
 * One small GET to an agent; rejects when it does not answer in time.
 * @param owner for whom; undefined: the answer may have everybody's sessions
 */
export async function askAgent(
  agent: Agent,
  path: string,
  owner: string | undefined,
  timeoutMs: number,
): Promise<Asked> {
  const { statusCode, body } = await agent.http.request({
    method: 'GET',
    path,
    headers: ownHeaders({ token: agent.endpoint.token, owner }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await body.text();
  return { status: statusCode, body: text === '' ? undefined : JSON.parse(text) };
}
