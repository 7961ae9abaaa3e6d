import { z } from 'zod';
import { cgroupMode, isolationLevel, missingWall } from './isolation.ts';
import { count, timestamp } from './names.ts';

/** The conditions that a pool has. */
export const replPoolConditions = [
  'Ready',
  'Progressing',
  'Degraded',
  'CapacityLimited',
  'IsolationUnavailable',
  'PodsForbidden',
] as const;

const conditionSchema = z.strictObject({
  type: z.enum(replPoolConditions),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(1024),
  message: z.string().max(32_768),
  observedGeneration: count.optional(),
  lastTransitionTime: timestamp,
});

/** What the operator has seen. */
export const replPoolStatusSchema = z.strictObject({
  desiredReplicas: count
    .optional()
    .describe('How many pods the pool is to have: spec.replicas, or what autoscaling finds right.'),
  replicas: count.optional(),
  readyReplicas: count.optional(),
  updatedReplicas: count.optional(),
  sessions: z.strictObject({ active: count, idle: count, capacity: count }).optional(),
  warmHitRatio: z
    .string()
    .optional()
    .describe(
      'Of the last 500 to 1,000 sessions that each agent made, the part that found a warm fork, rounded down to two digits. Absent before the first.',
    ),
  acquireP95Ms: count
    .optional()
    .describe(
      'Of the same sessions, 95 in 100 were ready within so many milliseconds of their admission; rounded up to a bucket of the histogram in which agents count.',
    ),
  isolation: isolationLevel
    .optional()
    .describe(
      'The weakest level that holds in a pod of the pool, as its agents said last. Absent before the first did.',
    ),
  enforcement: z
    .strictObject({
      cgroups: cgroupMode,
      missing: z.array(missingWall).max(64).describe('The walls and limits that some pod does not enforce.'),
    })
    .optional()
    .describe('How limits hold in the pod in which they hold worst.'),
  selector: z.string().optional(),
  observedGeneration: count.optional(),
  conditions: z
    .array(conditionSchema)
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .optional(),
});
