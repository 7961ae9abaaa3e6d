import { z } from 'zod';
import { callerNameSchema } from './auth-config.ts';
import { isolationSchema } from './isolation.ts';
import { count, labels, MAX_SESSIONS_PER_POD, sessionId } from './names.ts';
import { invalidRequest } from './parse.ts';
import { sessionLostReason, sessionState } from './session.ts';

/** Where an agent tells routers about its sessions, as NDJSON. */
export const INTERNAL_STREAM_PATH = '/internal/v1/stream';

/** A POST here makes an agent drain: it admits no new session from now on. Answered with its capacity. `?pod=` says whose agent is meant. */
export const INTERNAL_DRAIN_PATH = '/internal/v1/drain';

/** What an agent counts under the names of ReplPool, as JSON for a router that adds agents up. */
export const INTERNAL_METRICS_PATH = '/internal/v1/metrics';

/**
 * For whom a router asks, as it authenticated the caller; percent-encoded, for a subject may be any text and a header
 * may not. An agent shows that owner only their own sessions. Without it the router, or the operator, asks for itself,
 * and sees all.
 */
export const OWNER_HEADER = 'replpool-owner';

export const encodeOwner = (owner: string): string => encodeURIComponent(owner);

/** @throws ReplPoolError INVALID_REQUEST */
export function decodeOwner(header: string): string {
  try {
    return decodeURIComponent(header);
  } catch {
    throw invalidRequest(OWNER_HEADER, 'not percent-encoded UTF-8');
  }
}

/** The epoch that the router knows; an older one is answered with WRONG_OWNER. */
export const EPOCH_HEADER = 'replpool-epoch';

/** The id of the session that a `POST /v1/run` makes: the router names it, for it writes down what is made for whom. */
export const SESSION_HEADER = 'replpool-session';

/** The owner of sessions where nobody is asked who they are. */
export const ANONYMOUS_OWNER = 'anonymous';

/** What fits into an agent, and what came from its warm forks. */
export const agentCapacitySchema = z.strictObject({
  sessions: count.describe('All slots.'),
  active: count,
  busy: count.describe('Sessions that run code now.'),
  warm: count,
  free: count,
  hits: count,
  misses: count,
});
export type AgentCapacity = z.infer<typeof agentCapacitySchema>;

/** Upper bounds of the buckets of `acquired.counts`, in milliseconds, each about a quarter above the one before (Renard's R10). */
export const ACQUIRE_BOUNDS_MS = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100, 125, 160, 200, 250, 320, 400, 500, 630, 800],
  ...[1_000, 1_250, 1_600, 2_000, 2_500, 3_200, 4_000, 5_000, 6_300, 8_000, 10_000, 20_000, 40_000, 60_000],
] as const;

/** How the last 500 to 1,000 sessions of an agent came to be. The figures of several agents add up. */
export const acquiredSchema = z.strictObject({
  hits: count.describe('Those that found a warm fork.'),
  misses: count,
  counts: z
    .array(count)
    .length(ACQUIRE_BOUNDS_MS.length + 1)
    .describe(
      'How many took at most as long as each of ACQUIRE_BOUNDS_MS, and longer than the bound before; then the rest.',
    ),
});
export type Acquired = z.infer<typeof acquiredSchema>;

/** A template whose sessions cannot be made, and the last line of why. */
export const templateFailureSchema = z.strictObject({ template: z.string().max(63), message: z.string().max(500) });
export type TemplateFailure = z.infer<typeof templateFailureSchema>;

/** What holds the sessions of an agent, and what of it does not hold on its node. */
export const agentIsolationSchema = isolationSchema.omit({ requested: true });
export type AgentIsolation = z.infer<typeof agentIsolationSchema>;

/** A session, as far as routing, listing and rights need it. */
export const linkSessionSchema = z.strictObject({
  id: sessionId,
  epoch: z.int().min(1),
  state: sessionState,
  owner: callerNameSchema,
  labels,
  stateEpoch: z.int().min(1),
});
export type LinkSession = z.infer<typeof linkSessionSchema>;

const readiness = {
  ready: z.boolean(),
  draining: z.boolean(),
  capacity: agentCapacitySchema,
  acquired: acquiredSchema.optional(),
  // The templates of a pool, and the default one.
  failures: z.array(templateFailureSchema).max(65).optional().describe('Absent where every template warms.'),
};

/** Why a session left its agent. */
export const sessionGoneReason = z.enum([...sessionLostReason.options, 'deleted']);
export type SessionGoneReason = z.infer<typeof sessionGoneReason>;

/**
 * One line of the stream: first a snapshot, then changes. During an upgrade the two ends are of different releases, so what is told of an
 * agent as a whole may have fields that the reader does not know yet.
 */
export const agentLinkSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('snapshot'),
    pod: z.string(),
    pool: z.string(),
    ...readiness,
    // An agent of a later release may name a wall that this one does not know, and must be heard all the same.
    isolation: agentIsolationSchema.optional().catch(undefined),
    sessions: z.array(linkSessionSchema).max(MAX_SESSIONS_PER_POD),
  }),
  z.object({ type: z.literal('capacity'), ...readiness }),
  z.strictObject({ type: z.literal('session'), session: linkSessionSchema }),
  z.strictObject({ type: z.literal('session_gone'), id: sessionId, reason: sessionGoneReason }),
  z.strictObject({ type: z.literal('heartbeat') }),
]);
export type AgentLinkMessage = z.infer<typeof agentLinkSchema>;
