import type { V1ObjectMeta } from '@kubernetes/client-node';
import { isRecord, type KubeObject } from '@replpool/kube';
import { REPLPOOL_API_VERSION, REPLPOOL_KIND, type ReplPoolSpec } from '@replpool/protocol';
import { objectLabels } from './labels.ts';

/** A ReplPool as the API server has it, with every default filled in. */
export interface Pool {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly spec: ReplPoolSpec;
}

/** Where an agent answers probes and has its metrics. */
export const HEALTH_PORT = 9090;

/**
 * The name that a pool's own objects share: its Service, ServiceAccount, policies. The infix keeps them apart from those of a release in the
 * same namespace, whatever both are called.
 */
export function objectName({ name }: Pool): string {
  return `replpool-pool-${name}`;
}

/** The Secret with the certificate of a pool's agents. */
export function tlsSecretName(pool: Pool): string {
  return `${objectName(pool)}-tls`;
}

/** Metadata of an object that goes with its pool. */
export function ownedMetadata(pool: Pool): V1ObjectMeta {
  return {
    name: objectName(pool),
    namespace: pool.namespace,
    labels: objectLabels(pool.name),
    ownerReferences: [ownerReference(pool)],
  };
}

export function ownerReference({ name, uid }: Pool) {
  return {
    apiVersion: REPLPOOL_API_VERSION,
    kind: REPLPOOL_KIND,
    ...{ name, uid },
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Somebody else has an object of a name that is a pool's. It is neither changed nor deleted. */
export class ForeignObjectError extends Error {
  override readonly name = 'ForeignObjectError';

  constructor(kind: string, { metadata: { namespace, name } }: KubeObject) {
    super(
      `${kind} ${namespace}/${name} is not this pool's and is left alone; the pool needs the name: delete or rename one of them`,
    );
  }
}

/** @throws ForeignObjectError where an object that has the name of a pool's own is not the pool's */
export function expectOwned(pool: Pool, kind: string, object: KubeObject): void {
  if (!isOwnedBy(object, pool.uid)) throw new ForeignObjectError(kind, object);
}

/** Whether an object goes with the owner of this uid: one of the same name may have been deleted before. */
export function isOwnedBy({ metadata }: KubeObject, uid: string): boolean {
  const owners: unknown[] = Array.isArray(metadata.ownerReferences) ? metadata.ownerReferences : [];
  return owners.some((owner) => isRecord(owner) && owner.uid === uid);
}
