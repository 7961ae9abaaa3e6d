import { z } from 'zod';

/** The fields of a pool that demand walls or limits; an agent that cannot enforce one refuses to start, and names it. */
export const ISOLATION_FIELDS = 'spec.isolation.';

/**
 * The last line that an agent says before it ends because it cannot start. In a pod it is the end of its container's termination message, from
 * which the operator reads it.
 */
export const startFailureSchema = z.object({
  event: z.literal('failed'),
  message: z.string(),
  field: z.string().optional().describe('Of the pool, where one is why.'),
});
export type StartFailure = z.infer<typeof startFailureSchema>;
