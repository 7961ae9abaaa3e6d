import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { type ApiClient, pathOf, resources } from '@replpool/kube';
import { agentTlsName, TLS_FILE_NAMES } from '@replpool/protocol';
import type { TlsMaterial } from '@replpool/service';

/** Speaks to an agent as its router does. */
export class AgentClient {
  readonly #address: string;
  readonly #pool: string;
  readonly #as: TlsMaterial;

  /**
   * @param address its pod's
   * @param pool `namespace:name`
   */
  constructor(address: string, pool: string, as: TlsMaterial) {
    this.#address = address;
    this.#pool = pool;
    this.#as = as;
  }

  async fetch(path: string, { method = 'GET', body }: { method?: string; body?: object } = {}): Promise<Response> {
    const options = { ...this.#as, method, servername: agentTlsName(this.#pool), agent: false };
    const headers = { 'content-type': 'application/json' };
    const call = request(`https://${this.#address}:8080${path}`, { ...options, headers });
    const [response] = (await once(call.end(body && JSON.stringify(body)), 'response')) as [IncomingMessage];
    const status = response.statusCode ?? 0;
    const answer = await text(response);
    return new Response(status === 204 ? null : answer, { status });
  }
}

/** What a Secret with a certificate holds. @throws ApiError where it is not there */
export async function tlsOf(client: ApiClient, namespace: string, name: string): Promise<TlsMaterial> {
  const secret = (await client.request({ path: pathOf(resources.secrets, { namespace, name }) })) as {
    data?: Record<string, string>;
  };
  const file = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  return { cert: file(TLS_FILE_NAMES.cert), key: file(TLS_FILE_NAMES.key), ca: file(TLS_FILE_NAMES.ca) };
}
