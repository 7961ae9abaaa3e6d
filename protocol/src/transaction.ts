import { z } from 'zod';
import { executionId } from './names.ts';

/** What becomes of an execution's changes, by how it ended. */
export const transactionPolicies = ['commit_always', 'commit_on_success', 'rollback_on_failure', 'explicit'] as const;
export const transactionPolicy = z.enum(transactionPolicies);
export type TransactionPolicy = z.infer<typeof transactionPolicy>;

/** The kinds of snapshot that a request may demand. */
export const snapshotKinds = ['fork', 'copy'] as const;
export const snapshotKind = z.enum(snapshotKinds);
export type SnapshotKind = z.infer<typeof snapshotKind>;

/** The `transaction` of an execution's request. */
export const transactionRequestSchema = z.strictObject({
  policy: transactionPolicy.describe(
    [
      '`commit_always`: kept, however it ends.',
      '`commit_on_success`: kept where it succeeds, and not seen by others before; else as if it never ran.',
      '`rollback_on_failure`: kept where it succeeds, else rolled back to the state before.',
      '`explicit`: opens a transaction over several executions, or joins the open one, until it is committed or rolled back.',
    ].join('\n'),
  ),
  snapshot: snapshotKind
    .optional()
    .describe(
      'Demands this kind: `fork` is refused with FORK_UNSAFE where it is not safe. Without it: `fork`, and where that is not safe `copy`.',
    ),
});
export type TransactionRequest = z.infer<typeof transactionRequestSchema>;

/** How an execution's changes were kept or undone. */
export const transactionSchema = z.strictObject({
  id: z.string().describe('Of an `explicit` one that of all its executions.'),
  policy: transactionPolicy,
  outcome: z.enum(['committed', 'rolled_back', 'open']),
  snapshot: z.enum([...snapshotKinds, 'none']),
  reason: z.string().optional().describe('Why the snapshot is not of the kind that was wanted, or was lost.'),
  costMs: z.number().min(0).describe('What the snapshot took, and the rollback, in milliseconds.'),
  notRolledBack: z.array(z.string()).describe('What a rollback did not undo: open files, sockets, children, files.'),
});
export type Transaction = z.infer<typeof transactionSchema>;

/** The body of POST /v1/sessions/{id}/transaction/commit and /rollback. */
export const endTransactionSchema = z.strictObject({
  transaction: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('Its id: another one that is open by then is not ended, but answered by NO_TRANSACTION.'),
});
export type EndTransaction = z.infer<typeof endTransactionSchema>;

/** The body of POST /v1/sessions/{id}/undo. */
export const undoSchema = z.strictObject({
  executions: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .describe('Goes back to before the last so many executions of which the changes stand.'),
});
export type Undo = z.infer<typeof undoSchema>;

/** What an undo did. */
export const undoneSchema = z.strictObject({
  executions: z.array(executionId).describe('Of which nothing is left in the session, the latest first.'),
  stateEpoch: z.int().min(1).describe('Of the session from now on.'),
  costMs: z.number().min(0).describe('What going back took, in milliseconds.'),
  notRolledBack: z.array(z.string()).describe('What it did not undo: open files, sockets, children, files.'),
});
export type Undone = z.infer<typeof undoneSchema>;
