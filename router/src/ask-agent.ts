import type { Agent } from './agent.ts';

export interface Asked {
  readonly status: number;
  readonly body: unknown;
}

/** One small GET to an agent in the router's own name for `owner`; rejects when it does not answer in time. */
export async function askAgent(agent: Agent, path: string, owner: string, timeoutMs: number): Promise<Asked> {
  const { statusCode, body } = await agent.http.request({
    method: 'GET',
    path,
    headers: { authorization: `Bearer ${agent.endpoint.token}`, 'replpool-owner': owner },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await body.text();
  return { status: statusCode, body: text === '' ? undefined : JSON.parse(text) };
}
