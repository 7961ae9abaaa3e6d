import { invalidRequest, ReplPoolError } from '@replpool/protocol';
import { poolsNamed } from '@replpool/service';
import { type Caller, sees, type Verb } from './auth/caller.ts';
import { type Awaitable, after } from './awaitable.ts';

/** So many pools are named in a refusal. */
const MAX_NAMED = 10;

interface InPool {
  readonly pool: string;
}

export interface ListedPool extends InPool {
  /** Whether one of its agents has shown who it is; others are not meant by half a name, for a pod has any labels that its maker likes. */
  readonly isHeard: boolean;
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
 * Whether the pool's agents are the caller's business. Others are neither asked for sessions nor waited for nor believed: where pools are
 * different tenants', a pod of one must not answer for the sessions of another, nor hold its callers up by silence.
 * @param verb what is wanted, which is a right to look too
 */
export function concerns(caller: Caller, pool: string, verb: Verb): Awaitable<boolean> {
  return after(sees(caller, pool), (seen) => seen || caller.rights.may(verb, pool));
}

/** Those of pools that are the caller's business. */
export function agentsFor<A extends InPool>(caller: Caller, agents: readonly A[], verb: Verb): Promise<A[]> {
  return only(agents, (pool) => concerns(caller, pool, verb));
}

/**
 * The pool that the caller means; without a wish the only one where they have the right. Where several may be meant it is none: whoever makes
 * a pool of that name in a namespace of their own would else be sent others' code. By its whole name a right is asked for before existence, as
 * Kubernetes does.
 * @param pools those that there are
 * @param verb undefined: to see it
 */
export async function choosePool(
  caller: Caller,
  pools: readonly ListedPool[],
  wanted: string | undefined,
  verb?: Verb,
): Promise<string | ReplPoolError> {
  const isOpen = (pool: string) => (verb === undefined ? sees(caller, pool) : caller.rights.may(verb, pool));
  const isThere = pools.some(({ pool }) => pool === wanted);
  if (wanted !== undefined && (isThere || wanted.includes(':'))) {
    if (!(await isOpen(wanted))) return noRight(wanted, verb);
    return isThere ? wanted : notFound(wanted);
  }
  const meant = new Set(wanted === undefined ? poolsOf(pools) : poolsNamed(poolsOf(pools), wanted));
  const open = await only(
    pools.filter(({ pool }) => meant.has(pool)),
    isOpen,
  );
  const [found, ...others] = open.filter(({ isHeard }) => isHeard);
  if (found !== undefined) return others.length === 0 ? found.pool : ambiguous(poolsOf([found, ...others]));
  if (open.length > 0) return new ReplPoolError('WARMING', 'no agent of the pool was heard of yet');
  if (wanted !== undefined) return notFound(wanted);
  // Without a wish and without an agent the default pool is only not there yet.
  return pools.length === 0 ? new ReplPoolError('WARMING', 'no agent is listed yet') : noRight(undefined, verb);
}

/** The same for a pool that is hidden: its name is not told to who has no right there. */
function notFound(wanted: string): ReplPoolError {
  return new ReplPoolError('POOL_NOT_FOUND', `there is no pool ${wanted}, or none where the caller has the right`);
}

/** @param candidates those that the caller may know */
function ambiguous(candidates: readonly string[]): ReplPoolError {
  const some = candidates.slice(0, MAX_NAMED).join(', ');
  const more = candidates.length > MAX_NAMED ? ` and ${candidates.length - MAX_NAMED} more` : '';
  return invalidRequest('pool', `must say which of ${some}${more} is meant, by its whole name`);
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
