import { type Isolation, missingWalls, ReplPoolError, type ReplPoolSpec } from '@replpool/protocol';

/** What is enforced without any wall: RLIMIT_NOFILE in the worker. Time, queue and output are the agent's and never missing. */
const ENFORCED: ReadonlySet<string> = new Set(['file_descriptors']);

/**
 * What holds a session here.
 * @throws ReplPoolError INVALID_REQUEST where the pool demands walls that this agent does not have: they are never pretended
 */
export function isolationOf(spec: ReplPoolSpec): Isolation {
  const { level, cgroups } = spec.isolation;
  if (level !== 'None') throw refused('isolation.level', level);
  if (cgroups !== 'None') throw refused('isolation.cgroups', cgroups);
  return {
    requested: level,
    effective: 'None',
    cgroups: 'none',
    missing: missingWalls.filter((wall) => !ENFORCED.has(wall)),
  };
}

function refused(field: string, value: string): ReplPoolError {
  return new ReplPoolError('INVALID_REQUEST', `spec.${field}: ${value} cannot be enforced by this agent`, {
    why: 'A limit that cannot be enforced is refused, never pretended.',
    how: `Set spec.${field} to None.`,
    details: { field: `spec.${field}` },
  });
}
