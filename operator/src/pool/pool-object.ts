import type { KubeObject } from '@replpool/kube';
import { parse, REPLPOOL_API_VERSION, REPLPOOL_KIND, type ReplPool, replPoolSchema } from '@replpool/protocol';
import type { Pool } from '../specs/owned.ts';

/** A ReplPool in the operator's store. */
export interface PoolObject extends KubeObject, Pool {
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: NonNullable<ReplPool['status']>;
}

/** @throws ReplPoolError where it is no ReplPool that this release knows; the API server's schema lets none of those pass */
export function toPoolObject(object: KubeObject): PoolObject {
  const { metadata } = object;
  // Events name what they are about by these two.
  const type = { apiVersion: REPLPOOL_API_VERSION, kind: REPLPOOL_KIND };
  const { spec, status = {} } = parse(replPoolSchema, {
    ...type,
    metadata: { name: metadata.name, ...(metadata.namespace !== undefined && { namespace: metadata.namespace }) },
    spec: object.spec,
    status: object.status,
  });
  return {
    ...type,
    metadata,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid,
    spec,
    status,
    generation: Number(metadata.generation ?? 0),
    deleting: metadata.deletionTimestamp !== undefined,
  };
}
