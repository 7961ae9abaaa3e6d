import { type AgentIsolation, cgroupMode, isolationLevels, missingWalls, type ReplPool } from '@replpool/protocol';

/** What the status says of the walls and limits that hold. */
export type Enforced = Pick<NonNullable<ReplPool['status']>, 'isolation' | 'enforcement'>;

/** What holds in all pods, for a session may land in any; undefined where no agent said anything. */
export function enforcedByAll(agents: readonly AgentIsolation[]): Enforced | undefined {
  if (agents.length === 0) return undefined;
  const isolation = isolationLevels.find((level) => agents.some(({ effective }) => effective === level));
  // From the best to none.
  const cgroups = cgroupMode.options.findLast((mode) => agents.some((agent) => agent.cgroups === mode));
  if (isolation === undefined || cgroups === undefined) return undefined;
  const missing = missingWalls.filter((wall) => agents.some((agent) => agent.missing.includes(wall)));
  return { isolation, enforcement: { cgroups, missing } };
}
