import { z } from 'zod';

/** How an execution's changes were kept or undone. */
export const transactionSchema = z.strictObject({
  id: z.string(),
  policy: z.enum(['commit_always', 'commit_on_success', 'rollback_on_failure', 'explicit']),
  outcome: z.enum(['committed', 'rolled_back', 'open']),
  snapshot: z.enum(['fork', 'copy', 'none']),
  reason: z.string().optional(),
  costMs: z.number().min(0),
  notRolledBack: z.array(z.string()),
});
export type Transaction = z.infer<typeof transactionSchema>;
