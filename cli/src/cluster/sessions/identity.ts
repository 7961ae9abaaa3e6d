import type { RequestOptions } from 'node:https';
import { resources } from '@replpool/kube';
import { z } from 'zod';
import { wrongUse } from '../../failure.ts';
import type { Cluster } from '../cluster.ts';
import { audiencesOf } from './audiences.ts';

export interface IdentityOptions {
  /** A key or token that was given, whatever the kubeconfig has. */
  readonly apiKey: string | undefined;
  /** `name`, of the namespace that the command is about. */
  readonly asServiceAccount?: string;
  readonly audience: string;
}

const TOKEN_SECONDS = 600;
const tokenRequest = z.object({ status: z.object({ token: z.string().min(1) }) });

/**
 * What the router is told for who the caller is: what was given, a service account's token, else the kubeconfig's own bearer token, which an
 * exec plugin may have to make; but only where it is made out to routers too. With any other, whoever runs what is labelled as a router could
 * be the caller at the API server.
 */
export async function bearerToken(cluster: Cluster, options: IdentityOptions): Promise<string> {
  const { apiKey, asServiceAccount, audience } = options;
  if (asServiceAccount !== undefined) {
    if (apiKey !== undefined) throw wrongUse('give --as-service-account or a key, not both');
    return await serviceAccountToken(cluster, asServiceAccount, audience);
  }
  if (apiKey !== undefined) return apiKey;
  const token = await ownToken(cluster);
  if (token !== undefined && audiencesOf(token).includes(audience)) return token;
  throw wrongUse(
    token === undefined
      ? "the kubeconfig's user has no token that a router could check (a client certificate is for the API server alone)"
      : `the token of the kubeconfig's user is not made out to '${audience}', and no router is sent it`,
    'give --as-service-account NAME, or in REPLPOOL_API_KEY a key, or a token as of `kubectl create token NAME --audience=replpool`; ' +
      '--audience names another audience of the release',
  );
}

async function ownToken(cluster: Cluster): Promise<string | undefined> {
  const options: RequestOptions = { headers: {} };
  // A Bearer header is all that is read; it was applied before, to the requests that found the router.
  await cluster.config.applyToHTTPSOptions(options);
  const { Authorization: header } = options.headers as Record<string, unknown>;
  return /^Bearer (\S+)$/.exec(String(header))?.[1];
}

/** With an audience of the routers' own the API server does not take the token: whoever gets it can do no more than a router lets them. */
async function serviceAccountToken(cluster: Cluster, name: string, audience: string): Promise<string> {
  const spec = { expirationSeconds: TOKEN_SECONDS, audiences: [audience] };
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const place = { namespace: cluster.namespace, name, subresource: 'token' };
  return tokenRequest.parse(await cluster.create(resources.serviceAccounts, place, body)).status.token;
}
