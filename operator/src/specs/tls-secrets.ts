import type { Desired } from '@replpool/kube';
import { objectLabels, releaseLabels } from './labels.ts';
import { ownerReference, type Pool, tlsSecretName } from './owned.ts';

/** A Secret with a certificate, without what it holds. */
export interface TlsSecret extends Desired {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly ReturnType<typeof ownerReference>[];
  };
  readonly type: 'kubernetes.io/tls';
}

/** Where a release's own objects are. */
export interface Release {
  readonly namespace: string;
  readonly release: string;
}

/** The certificate of a pool's agents. */
export function poolTlsSecret(pool: Pool): TlsSecret {
  const { name, namespace } = pool;
  const owned = { labels: objectLabels(name), ownerReferences: [ownerReference(pool)] };
  return tlsSecret({ name: tlsSecretName(pool), namespace, ...owned });
}

/** The certificate of the routers, and what they trust agents by. */
export function routerTlsSecret({ namespace, release }: Release): TlsSecret {
  return tlsSecret({ name: `${release}-router-tls`, namespace, labels: releaseLabels(release, 'router') });
}

/** The authorities and their keys; for operators alone. */
export function authoritySecret({ namespace, release }: Release): TlsSecret {
  return tlsSecret({ name: `${release}-ca`, namespace, labels: releaseLabels(release, 'operator') });
}

function tlsSecret(metadata: TlsSecret['metadata']): TlsSecret {
  return { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata };
}
