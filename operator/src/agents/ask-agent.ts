import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  type AgentEndpoint,
  type AgentLinkMessage,
  agentLinkSchema,
  INTERNAL_STREAM_PATH,
  parse,
} from '@replpool/protocol';
import { Lines, LONGEST_COUNTERS, requestAgent, type TlsSource } from '@replpool/service';

/** A pod that starts on a crowded node takes its time; who holds up the others longer than this is not heard. */
const ANSWER_MS = 5_000;

/**
 * The first word of an agent's stream, which tells all of it; the connection is not kept.
 * @throws Error where it cannot be reached, or does not answer so
 */
export async function askAgent(endpoint: AgentEndpoint, tls: TlsSource, outer: AbortSignal): Promise<AgentLinkMessage> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(ANSWER_MS)]);
  const headers = { accept: 'application/x-ndjson' };
  const request = requestAgent(endpoint, `${INTERNAL_STREAM_PATH}?sessions=false`, { headers, signal }, tls).end();
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`the agent answered ${response.statusCode} to the stream`);
    response.setEncoding('utf8');
    const lines = new Lines(LONGEST_COUNTERS);
    for await (const chunk of response) {
      for (const line of lines.push(chunk as string)) return parse(agentLinkSchema, JSON.parse(line), 'agent stream');
    }
    throw new Error('the stream ended before its first line');
  } finally {
    // It is torn in the middle of an answer, which is no news.
    request.on('error', () => undefined);
    request.destroy();
  }
}
