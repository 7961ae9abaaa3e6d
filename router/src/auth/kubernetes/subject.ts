import { callerNameSchema } from '@replpool/protocol';
import { z } from 'zod';

/** Who a token is of, as the API server says it; all of it counts for rights. */
export const subjectSchema = z.object({
  username: callerNameSchema,
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
});
export type Subject = z.infer<typeof subjectSchema>;
