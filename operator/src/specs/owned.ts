import type { V1ObjectMeta } from '@kubernetes/client-node';
import { REPLPOOL_API_VERSION, REPLPOOL_KIND, type ReplPoolSpec } from '@replpool/protocol';
import { objectLabels } from './labels.ts';

/** A ReplPool as the API server has it, with every default filled in. */
export interface Pool {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly spec: ReplPoolSpec;
}

/** Ports of an agent's container. */
export const AGENT_PORT = 8080;
export const HEALTH_PORT = 9090;

/** The name that a pool's own objects share: its Service, Secret, ServiceAccount, policies. */
export function objectName({ name }: Pool): string {
  return `replpool-${name}`;
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
