import { z } from 'zod';
import { usageSchema } from './execution.ts';
import { isolationSchema } from './isolation.ts';
import { limitsPatchSchema, limitsSchema } from './limits.ts';
import { count, dnsLabel, environment, labels, poolName, sessionId, timestamp } from './names.ts';

export const sessionStates = [
  'starting',
  'idle',
  'busy',
  'recovering',
  'moving',
  'suspended',
  'closed',
  'lost',
] as const;
export const sessionState = z.enum(sessionStates);
export type SessionState = z.infer<typeof sessionState>;

/** Why a session is gone; `details.reason` of SESSION_LOST. */
export const sessionLostReasons = [
  'oom',
  'crash',
  'exit',
  'signal',
  'interrupt',
  'timeout',
  'node',
  'expired',
  'drain',
] as const;
export const sessionLostReason = z.enum(sessionLostReasons);
export type SessionLostReason = z.infer<typeof sessionLostReason>;

const displayName = z.string().min(1).max(253);
const idleTimeoutSeconds = z.int().min(1).max(31_536_000);
const keepSnapshots = count.max(1000);

/** What a session used: its executions' time, and from its cgroup, where it has one, what all of its processes use. */
export const sessionUsageSchema = usageSchema.extend({
  memoryBytes: count.optional().describe('Now, of all processes. Absent without a cgroup.'),
  memoryPeakBytes: count
    .optional()
    .describe('The most since the worker started, of all processes. Absent without a cgroup.'),
});
export type SessionUsage = z.infer<typeof sessionUsageSchema>;

/** A session: one long-lived worker process with a namespace. */
export const sessionSchema = z.strictObject({
  id: sessionId,
  pool: poolName,
  template: z.string(),
  name: z.string().optional(),
  labels,
  state: sessionState,
  epoch: z.int().min(1).describe('Rises when the owner changes.'),
  stateEpoch: z.int().min(1).describe('Rises when acknowledged state may be gone.'),
  pod: z.string(),
  createdAt: timestamp,
  lastActivityAt: timestamp,
  executionCount: count,
  idleTimeoutSeconds: count.optional(),
  isolation: isolationSchema,
  limits: limitsSchema,
  keepSnapshots: count.describe('Before so many of its last executions a snapshot is kept, for undo.'),
  undoable: count.describe('So many executions can be undone now.'),
  forkedFrom: sessionId.optional().describe('The session of which it is a live copy.'),
  usage: sessionUsageSchema,
});
export type Session = z.infer<typeof sessionSchema>;

/** The body of POST /v1/sessions. */
export const createSessionSchema = z.strictObject({
  id: sessionId.optional().describe('Chosen by the client: the same id twice is the same session.'),
  pool: poolName
    .optional()
    .describe(
      'Default: the only or first pool; in a cluster the one that the router is configured with, else the only one that is open to the caller.',
    ),
  template: dnsLabel.optional(),
  name: displayName.optional().describe('Need not be unique.'),
  labels: labels.optional(),
  env: environment.optional(),
  limits: limitsPatchSchema.optional().describe("None may exceed the pool's."),
  keepSnapshots: keepSnapshots
    .optional()
    .describe("Keeps a snapshot before each of its last so many executions, for undo. Default: the pool's."),
  idleTimeoutSeconds: idleTimeoutSeconds.optional(),
  affinityKey: z.string().min(1).max(256).optional().describe('Sessions of one key are placed together where it fits.'),
});
export type CreateSession = z.infer<typeof createSessionSchema>;

/** The body of POST /v1/sessions/{id}/fork. */
export const forkSessionSchema = z.strictObject({
  count: z.int().min(1).max(64).default(1).describe('So many live copies.'),
  labels: labels.optional().describe("Of each copy. Default: the session's."),
});
export type ForkSession = z.infer<typeof forkSessionSchema>;

/** The body of PATCH /v1/sessions/{id}; `labels` replaces all labels. */
export const patchSessionSchema = z.strictObject({
  name: displayName.optional(),
  labels: labels.optional(),
  idleTimeoutSeconds: idleTimeoutSeconds.optional(),
});
export type PatchSession = z.infer<typeof patchSessionSchema>;

export const sessionListSchema = z.strictObject({
  items: z.array(sessionSchema),
  continue: z.string().optional().describe('Send it as `continue` to get the next page.'),
});
export type SessionList = z.infer<typeof sessionListSchema>;

const labelSelector = z.string().regex(/^[^=]+=[^=]*$/, 'not a label selector: it is written as name=value');

/** The query of GET /v1/sessions; several `label` must all match. */
export const sessionListQuerySchema = z.strictObject({
  pool: poolName.optional(),
  label: z.union([labelSelector, z.array(labelSelector)]).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  continue: z.string().max(1024).optional(),
});
export type SessionListQuery = z.infer<typeof sessionListQuerySchema>;
