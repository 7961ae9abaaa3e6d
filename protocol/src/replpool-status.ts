import { z } from 'zod';
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
  isolation: z.string().optional(),
  selector: z.string().optional(),
  observedGeneration: count.optional(),
  conditions: z
    .array(conditionSchema)
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .optional(),
});
