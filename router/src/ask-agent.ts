import type { Agent } from './agent.ts';
import { ownHeaders } from './forward-headers.ts';

/** Of an answer, in bytes. */
const LIMIT = 16 * 1024 * 1024;

export interface Asked {
  readonly status: number;
  readonly body: unknown;
}

/**
 * One small GET to an agent; rejects when it does not answer in time, or with more than it may.
 * @param owner for whom; undefined: the answer may have everybody's sessions
 * @param signal ends the wait
 */
export async function askAgent(
  agent: Agent,
  path: string,
  owner: string | undefined,
  signal: AbortSignal,
): Promise<Asked> {
  const { statusCode, body } = await agent.http.request({
    method: 'GET',
    path,
    headers: ownHeaders({ token: agent.endpoint.token, owner }),
    signal,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMIT) throw new Error(`the agent’s answer is larger than ${LIMIT} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  return { status: statusCode, body: text === '' ? undefined : JSON.parse(text) };
}
