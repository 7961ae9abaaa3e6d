import { createHash } from 'node:crypto';
import type { Pool } from './owned.ts';

/** Above what machines give to people and services, and below 2^31, which some tools take for a sign. */
const FIRST = 1_000_000_000;
const COUNT = 1_000_000_000;

/**
 * The uid of a pool's agents and sessions, which is their gid too: a number of its own for each pool of a cluster, and the same one for ever, for
 * files on its volumes have it. Agents of several pools see the same files of a node (`isolation.cgroups: Delegate`), which are told
 * apart by it alone. Why two pools hardly ever share one is in docs/decisions/0015.
 */
export function poolUser({ namespace, name }: Pick<Pool, 'namespace' | 'name'>): number {
  const digest = createHash('sha256').update(`${namespace}/${name}`).digest();
  // 48 bits: the remainder favours no number by more than a part in a hundred thousand.
  return FIRST + (digest.readUIntBE(0, 6) % COUNT);
}
