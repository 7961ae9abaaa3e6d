import { ReplPoolError } from '@replpool/protocol';
import { resolvePool } from '@replpool/service';
import { type Caller, sees, type Verb } from './auth/caller.ts';
import type { Awaitable } from './awaitable.ts';

interface InPool {
  readonly pool: string;
}

const poolsOf = (members: readonly InPool[]): string[] => [...new Set(members.map(({ pool }) => pool))];

async function only<T extends InPool>(
  members: readonly T[],
  isOpen: (pool: string) => Awaitable<boolean>,
): Promise<T[]> {
  const pools = poolsOf(members);
  const open = await Promise.all(pools.map(isOpen));
  const kept = new Set(pools.filter((_, i) => open[i] === true));
  return members.filter(({ pool }) => kept.has(pool));
}

/** Those whose pool the caller sees. */
export function visibleTo<M extends InPool>(caller: Caller, members: readonly M[]): Promise<M[]> {
  return only(members, (pool) => sees(caller, pool));
}

/**
 * The agents that are the caller's business. Others are neither asked for sessions nor waited for: where pools are different tenants', a pod of
 * one must not answer for the sessions of another, nor hold its callers up by silence.
 * @param verb what is wanted, which is a right to look too
 */
export function agentsFor<A extends InPool>(caller: Caller, agents: readonly A[], verb: Verb): Promise<A[]> {
  return only(agents, async (pool) => (await sees(caller, pool)) || (await caller.rights.may(verb, pool)));
}

/**
 * The pool that the caller means, of those where they have the right; the first one without a wish. A right is asked for before existence, as
 * Kubernetes does.
 * @param members whatever is in the pools that there are, in their order
 * @param verb undefined: to see it
 */
export async function choosePool(
  caller: Caller,
  members: readonly InPool[],
  wanted: string | undefined,
  verb?: Verb,
): Promise<string | ReplPoolError> {
  const isOpen = (pool: string) => (verb === undefined ? sees(caller, pool) : caller.rights.may(verb, pool));
  const asked = wanted?.includes(':') ? members.filter(({ pool }) => pool === wanted) : members;
  const open = await only(asked, isOpen);
  const found = resolvePool(poolsOf(open), wanted);
  if (found !== undefined) return found;
  const hidden = resolvePool(poolsOf(members), wanted) ?? (wanted?.includes(':') ? wanted : undefined);
  if (hidden !== undefined && !(await isOpen(hidden))) return noRight(wanted, verb);
  // Without a wish and without an agent the default pool is only not there yet.
  if (wanted === undefined) return new ReplPoolError('WARMING', 'no agent is listed yet');
  return new ReplPoolError('POOL_NOT_FOUND', `there is no pool ${wanted}`);
}

/** Names the pool as the caller did, who may not know its namespace. */
function noRight(wanted: string | undefined, verb = 'create or list'): ReplPoolError {
  const place = wanted === undefined ? 'any pool' : `the pool ${wanted}`;
  return new ReplPoolError('FORBIDDEN', `no right to ${verb} sessions in ${place}`, {
    why: 'The caller is known, but has no such right there.',
    how: `Ask an administrator for the verb ${verb} on replpools/sessions of the group replpool.dev.`,
    details: { verb },
  });
}
