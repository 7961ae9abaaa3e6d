import type { ReplPoolSpec } from '@replpool/protocol';
import type { PoolObject } from './pool-object.ts';

/** A pool with what its release says where it says nothing: what its pods are made from, and what their agents are told. */
export function withDefaults(pool: PoolObject, release: Pick<ReplPoolSpec['isolation'], 'cgroups'>): PoolObject {
  const { isolation } = pool.spec;
  const cgroups = isolation.cgroups ?? release.cgroups;
  return cgroups === undefined ? pool : { ...pool, spec: { ...pool.spec, isolation: { ...isolation, cgroups } } };
}
