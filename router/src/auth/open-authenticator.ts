import type { ApiClient, Clock } from '@replpool/kube';
import type { AuthConfig } from '@replpool/protocol';
import type { Logger } from 'pino';
import { ApiKeys } from './api-keys.ts';
import type { Authenticator } from './authenticator.ts';
import { fromLoopback } from './from-loopback.ts';
import { KubernetesAuthenticator } from './kubernetes/kubernetes.ts';
import { Oidc } from './oidc/oidc.ts';

/**
 * @param cluster asked for where the mode needs the API server
 * @param clock by which its decisions grow old
 */
export async function openAuthenticator(
  auth: AuthConfig,
  cluster: () => ApiClient,
  log: Logger,
  clock?: Clock,
): Promise<Authenticator> {
  switch (auth.mode) {
    case 'none':
      return fromLoopback;
    case 'apiKeys':
      return await ApiKeys.open(auth, log);
    case 'kubernetes':
      return new KubernetesAuthenticator(cluster(), auth.audiences, log, clock);
    case 'oidc':
      return new Oidc(auth, log);
  }
}
