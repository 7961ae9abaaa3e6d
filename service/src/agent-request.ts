import { type ClientRequest, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { SecureContext } from 'node:tls';
import { type AgentEndpoint, agentTlsName } from '@replpool/protocol';
import type { TlsSource } from './tls-material.ts';

export interface AgentTlsOptions {
  readonly servername: string;
  readonly secureContext?: SecureContext;
}

/**
 * How a TLS connection to an agent is made: as the router or operator that we are, to nobody but an agent of this pool, whatever its address.
 * @param tls undefined: with the public authorities, which vouch for no agent, so that it fails as any other connection does
 */
export function agentTlsOptions(pool: string, tls: TlsSource | undefined): AgentTlsOptions {
  const servername = agentTlsName(pool);
  return tls === undefined ? { servername } : { servername, secureContext: tls.context };
}

/** One request to an agent on a connection of its own, not yet ended. */
export function requestAgent(
  { url: base, pool, token }: AgentEndpoint,
  path: string,
  options: Pick<RequestOptions, 'method' | 'signal'> & { readonly headers?: Readonly<Record<string, string>> },
  tls: TlsSource | undefined,
): ClientRequest {
  const url = new URL(path, base);
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const all = { ...options, agent: false, headers: { ...options.headers, ...authorization } };
  if (url.protocol !== 'https:') return requestPlain(url, all);
  return requestTls(url, { ...all, ...agentTlsOptions(pool, tls) });
}
