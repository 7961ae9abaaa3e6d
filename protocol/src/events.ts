import { z } from 'zod';
import { executionErrorSchema, executionSchema, executionStatus, mimeBundleSchema } from './execution.ts';
import { count, executionId, timestamp } from './names.ts';
import { sessionState } from './session.ts';
import { transactionSchema } from './transaction.ts';
import { variableChangesSchema } from './variables.ts';
import { warningSchema } from './warnings.ts';

const base = {
  seq: z.int().min(1).describe('Rises by one with every event of a session; after a lost owner behind a gap.'),
  time: timestamp,
  execution: executionId.optional(),
};
const ofExecution = { ...base, execution: executionId };
const { data, metadata } = mimeBundleSchema.shape;
const transient = z.record(z.string(), z.unknown()).optional();

export const sessionEventPayload = {
  state: sessionState,
  stateEpoch: z.int().min(1),
  reason: z.string().optional(),
  restored: z.enum(['twin', 'checkpoint', 'nothing']).optional(),
  lost: z.array(z.strictObject({ name: z.string(), why: z.string() })).optional(),
};

const event = {
  queued: z.strictObject({ ...ofExecution, type: z.literal('queued') }),
  started: z.strictObject({ ...ofExecution, type: z.literal('started'), executionCount: count.optional() }),
  stdout: z.strictObject({ ...base, type: z.literal('stdout'), data: z.string() }),
  stderr: z.strictObject({ ...base, type: z.literal('stderr'), data: z.string() }),
  display: z.strictObject({ ...base, type: z.literal('display'), data, metadata, transient }),
  updateDisplay: z.strictObject({ ...base, type: z.literal('update_display'), data, metadata, transient }),
  clearOutput: z.strictObject({ ...base, type: z.literal('clear_output'), wait: z.boolean() }),
  result: z.strictObject({ ...ofExecution, type: z.literal('result'), data, metadata }),
  error: z.strictObject({ ...ofExecution, type: z.literal('error'), error: executionErrorSchema }),
  inputRequest: z.strictObject({
    ...base,
    type: z.literal('input_request'),
    prompt: z.string(),
    password: z.boolean(),
  }),
  inputDone: z.strictObject({
    ...base,
    type: z.literal('input_done'),
    reason: z.enum(['answered', 'eof', 'cancelled']).optional(),
  }),
  warning: z.strictObject({ ...base, type: z.literal('warning'), ...warningSchema.shape }),
  transaction: z.strictObject({ ...ofExecution, type: z.literal('transaction'), transaction: transactionSchema }),
  variables: z.strictObject({ ...ofExecution, type: z.literal('variables'), ...variableChangesSchema.shape }),
  finished: z.strictObject({
    ...ofExecution,
    type: z.literal('finished'),
    status: executionStatus,
    outcome: executionSchema,
  }),
  session: z.strictObject({ ...base, type: z.literal('session'), ...sessionEventPayload }),
  gap: z.strictObject({ ...base, type: z.literal('gap'), from: count, to: count }),
};

/** What happens in a session: the same objects over the channel, as NDJSON and as SSE. */
export const eventSchema = z.discriminatedUnion('type', [
  event.queued,
  event.started,
  event.stdout,
  event.stderr,
  event.display,
  event.updateDisplay,
  event.clearOutput,
  event.result,
  event.error,
  event.inputRequest,
  event.inputDone,
  event.warning,
  event.transaction,
  event.variables,
  event.finished,
  event.session,
  event.gap,
]);
export type SessionEvent = z.infer<typeof eventSchema>;
export type EventType = SessionEvent['type'];

/** One type of event, such as `EventOf<'finished'>`. */
export type EventOf<T extends EventType> = Extract<SessionEvent, { type: T }>;

/** An event before it got its number and its time. */
export type EventPayload = SessionEvent extends infer E
  ? E extends SessionEvent
    ? Omit<E, 'seq' | 'time'>
    : never
  : never;

/** The query of GET …/events and of the channel: everything after `from`, which is exclusive. */
export const eventsQuerySchema = z.strictObject({ from: z.coerce.number().int().min(0).optional() });
