import { type AgentCapacity, hitRate, type Pool } from '@replpool/protocol';

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
