import { type AgentCapacity, hitRate, type Pool, ReplPoolError } from '@replpool/protocol';

/** An agent, as far as its pool's summary needs it. */
interface Member {
  readonly pool: string;
  readonly up: boolean;
  readonly ready: boolean;
  readonly capacity: AgentCapacity;
}

/** The pools of these agents in the order of the list, each summed over its agents. */
export function summarizePools(agents: readonly Member[]): Pool[] {
  const byPool = Map.groupBy(agents, (agent) => agent.pool);
  return [...byPool].map(([name, members]) => {
    const sum = (field: keyof AgentCapacity): number => members.reduce((all, { capacity }) => all + capacity[field], 0);
    const hits = sum('hits');
    const misses = sum('misses');
    return {
      name,
      pods: members.length,
      readyPods: members.filter((member) => member.up && member.ready).length,
      capacity: sum('sessions'),
      active: sum('active'),
      free: sum('free'),
      warm: sum('warm'),
      hits,
      misses,
      hitRate: hitRate(hits, misses),
    };
  });
}

/** Whether `wanted` means this pool: its whole name, or the name without its namespace. */
export const isPool = (pool: string, wanted: string): boolean => pool === wanted || pool.endsWith(`:${wanted}`);

/** The pools that `wanted` may mean: one by its whole name, else all that are called so in their namespaces. */
export function poolsNamed(pools: readonly string[], wanted: string): string[] {
  return pools.includes(wanted) ? [wanted] : pools.filter((pool) => isPool(pool, wanted));
}

/** The pool that a path names. @throws ReplPoolError POOL_NOT_FOUND */
export function findPool(pools: readonly Pool[], wanted: string): Pool {
  const [name] = poolsNamed(
    pools.map((pool) => pool.name),
    wanted,
  );
  const found = pools.find((pool) => pool.name === name);
  if (found === undefined) throw new ReplPoolError('POOL_NOT_FOUND', `there is no pool ${wanted}`);
  return found;
}
