import { z } from 'zod';

/** The walls round a session, from none to a machine of its own. */
export const isolationLevels = ['None', 'Baseline', 'Hardened', 'Strict'] as const;
export const isolationLevel = z.enum(isolationLevels);

/** What enforces the limits: cgroups of a version, rlimits with a watchdog, or nothing. */
export const cgroupMode = z.enum(['v2', 'v1', 'rlimits', 'none']);

/** Every wall and limit that may stand in `missing`. */
export const missingWalls = [
  'memory',
  'cpu',
  'processes',
  'disk',
  'file_descriptors',
  'filesystem',
  'network',
  'signals',
  'syscalls',
  'uid',
  'namespaces',
  'leftover_processes',
] as const;
export const missingWall = z.enum(missingWalls);

/** What holds a session, and what of it does not hold here. */
export const isolationSchema = z.strictObject({
  requested: isolationLevel,
  effective: isolationLevel,
  cgroups: cgroupMode,
  missing: z.array(missingWall).describe('The walls and limits that are not enforced.'),
});
export type Isolation = z.infer<typeof isolationSchema>;
