import { type Isolation, missingWalls, ReplPoolError, type ReplPoolSpec } from '@replpool/protocol';
import type { Cgroups } from './cgroup/cgroups.ts';
import type { Controller } from './cgroup/version.ts';

/** What is enforced without any wall: RLIMIT_NOFILE in the worker. Time, queue and output are the agent's and never missing. */
const ENFORCED: readonly string[] = ['file_descriptors'];
const BY_CONTROLLER: Readonly<Record<Controller, string | undefined>> = {
  memory: 'memory',
  cpu: 'cpu',
  pids: 'processes',
  cpuacct: undefined,
};

/**
 * What holds a session here.
 * @param cgroups what was found to work; a demand of them was refused before, where they do not
 * @throws ReplPoolError INVALID_REQUEST where the pool demands walls that this agent does not have: they are never pretended
 */
export function isolationOf(
  spec: ReplPoolSpec,
  cgroups: Pick<Cgroups, 'version' | 'controllers'> | undefined,
): Isolation {
  const { level } = spec.isolation;
  if (level !== 'None') throw refused('isolation.level', level);
  const enforced = new Set(ENFORCED);
  for (const controller of cgroups?.controllers ?? []) enforced.add(BY_CONTROLLER[controller] ?? '');
  // What left its session, its parents and its environment is still in its cgroup.
  if (cgroups) enforced.add('leftover_processes');
  return {
    requested: level,
    effective: 'None',
    cgroups: cgroups?.version ?? 'none',
    missing: missingWalls.filter((wall) => !enforced.has(wall)),
  };
}

function refused(field: string, value: string): ReplPoolError {
  return new ReplPoolError('INVALID_REQUEST', `spec.${field}: ${value} cannot be enforced by this agent`, {
    why: 'A limit that cannot be enforced is refused, never pretended.',
    how: `Set spec.${field} to None.`,
    details: { field: `spec.${field}` },
  });
}
