import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AgentEndpoint, INTERNAL_DRAIN_PATH } from '@replpool/protocol';
import { requestAgent, type TlsSource } from '@replpool/service';

/** An agent that has the order is as good as drained, so a short wait for its answer does. */
const ANSWER_MS = 5_000;

/**
 * Orders an agent to admit no new session.
 * @throws Error where it cannot be reached or does not answer so
 */
export async function orderDrain(endpoint: AgentEndpoint, tls: TlsSource, outer: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(ANSWER_MS)]);
  // By its name, for the address may be another pod's by now.
  const path = `${INTERNAL_DRAIN_PATH}?pod=${encodeURIComponent(endpoint.pod)}`;
  const request = requestAgent(endpoint, path, { method: 'POST', signal }, tls).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  // The answer's body says nothing that the stream does not.
  request.on('error', () => undefined);
  response.on('error', () => undefined).resume();
  const { statusCode } = response;
  if (statusCode !== 200) throw new Error(`agent ${endpoint.pod} answered ${statusCode} to the order to drain`);
}
