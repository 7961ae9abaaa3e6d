import { z } from 'zod';
import { count, executionId, sessionId, timestamp } from './names.ts';
import { transactionRequestSchema, transactionSchema } from './transaction.ts';
import { variableChangesSchema } from './variables.ts';
import { warningSchema } from './warnings.ts';

export const executionStatuses = [
  'queued',
  'running',
  'ok',
  'error',
  'interrupted',
  'timeout',
  'killed',
  'cancelled',
  'lost',
] as const;
export const executionStatus = z.enum(executionStatuses);
export type ExecutionStatus = z.infer<typeof executionStatus>;

/** One value in several media types. Text as text; binary as base64 in JSON; `application/json` as it is. */
export const mimeBundleSchema = z.strictObject({
  data: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
});
export type MimeBundle = z.infer<typeof mimeBundleSchema>;

/** An exception of the user's code, with no frame of ours in the traceback. */
export const userErrorSchema = z.strictObject({
  name: z.string(),
  message: z.string(),
  traceback: z.array(z.string()),
});
export type UserError = z.infer<typeof userErrorSchema>;

/** Why a worker died. */
export const workerDeathReasons = ['oom', 'crash', 'exit', 'signal', 'interrupt', 'timeout', 'drain', 'node'] as const;
export const workerDeathReason = z.enum(workerDeathReasons);
export type WorkerDeathReason = z.infer<typeof workerDeathReason>;

/** The end of the process that ran the code. */
export const workerDiedSchema = z.strictObject({
  code: z.literal('WORKER_DIED'),
  reason: workerDeathReason,
  message: z.string(),
  how: z.string(),
});
export type WorkerDied = z.infer<typeof workerDiedSchema>;

/** Code that was not run, for its transaction could not begin when its turn came. */
export const notRunSchema = z.strictObject({
  code: z
    .enum(['EPOCH_CHANGED', 'FORK_UNSAFE', 'TRANSACTION_OPEN', 'AGENT_TIMEOUT', 'WORKER_FAILED'])
    .describe('Of the registry of errors.'),
  message: z.string(),
  how: z.string(),
});
export type NotRun = z.infer<typeof notRunSchema>;

export const executionErrorSchema = z.union([userErrorSchema, workerDiedSchema, notRunSchema]);
export type ExecutionError = z.infer<typeof executionErrorSchema>;

export const usageSchema = z.strictObject({
  cpuMs: z.number().min(0),
  wallMs: z.number().min(0),
  maxRssBytes: count,
});
export type Usage = z.infer<typeof usageSchema>;

/** The bytes that an execution's `stdout` and `stderr` leave out; all of them are in the events. */
export const truncatedSchema = z.strictObject({ stdout: count, stderr: count });

/** The body of POST /v1/sessions/{id}/executions. */
export const executeRequestSchema = z.strictObject({
  code: z.string(),
  id: executionId.optional().describe('The same id with the same body never runs twice.'),
  timeoutSeconds: z.int().min(1).max(86_400).optional().describe('Default: the limit executionSeconds.'),
  transaction: transactionRequestSchema
    .optional()
    .describe('Default: `commit_always`; in an open `explicit` transaction that.'),
  stdin: z.string().optional().describe('Answers input(), and is then at its end.'),
  silent: z.boolean().optional().describe('No result, no execution count.'),
  stateEpoch: z.int().min(1).optional().describe('Refused with EPOCH_CHANGED where the session has another.'),
});
export type ExecuteRequest = z.infer<typeof executeRequestSchema>;

/** One piece of code, run in a session. */
export const executionSchema = z.strictObject({
  id: executionId,
  session: sessionId,
  status: executionStatus,
  executionCount: count.optional().describe('Absent until it starts.'),
  result: mimeBundleSchema.optional(),
  stdout: z.string(),
  stderr: z.string(),
  displays: z
    .array(mimeBundleSchema)
    .describe('What it shows at its end: updated and cleared displays as they are then; the events have each.'),
  error: executionErrorSchema.optional(),
  transaction: transactionSchema.optional().describe('Absent where none was asked for.'),
  warnings: z.array(warningSchema),
  variables: variableChangesSchema,
  usage: usageSchema,
  startedAt: timestamp.optional(),
  finishedAt: timestamp.optional(),
  durationMs: z.number().min(0).optional(),
  truncated: truncatedSchema.optional(),
});
export type Execution = z.infer<typeof executionSchema>;

export const executionListSchema = z.strictObject({
  items: z.array(executionSchema),
  continue: z.string().optional(),
});
export type ExecutionList = z.infer<typeof executionListSchema>;

/** The query of GET /v1/sessions/{id}/executions. */
export const executionListQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  continue: z.string().max(1024).optional(),
});
export type ExecutionListQuery = z.infer<typeof executionListQuerySchema>;

/** The query of POST /v1/sessions/{id}/executions. */
export const executeQuerySchema = z.strictObject({
  wait: z.enum(['true', 'false']).optional().describe('false: 202 at once, without waiting for the end.'),
});

/** The body of POST …/{execution}/input: a value, or the end of input. */
export const inputRequestSchema = z.union([
  z.strictObject({ value: z.string() }),
  z.strictObject({ eof: z.literal(true) }),
]);
export type InputRequest = z.infer<typeof inputRequestSchema>;
