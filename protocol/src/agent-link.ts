import { z } from 'zod';
import { count, labels, sessionId } from './names.ts';
import { invalidRequest } from './parse.ts';
import { sessionLostReason, sessionState } from './session.ts';

/** Where an agent tells routers about its sessions, as NDJSON. */
export const INTERNAL_STREAM_PATH = '/internal/v1/stream';

/** A POST here makes an agent drain: it admits no new session from now on. Answered with its capacity. */
export const INTERNAL_DRAIN_PATH = '/internal/v1/drain';

/** What an agent counts under the names of ReplPool, as JSON for a router that adds agents up. */
export const INTERNAL_METRICS_PATH = '/internal/v1/metrics';

/**
 * For whom a router asks, as it authenticated the caller; percent-encoded, for a subject may be any text and a header
 * may not. An agent shows that owner only their own sessions. Without it the holder of the token asks for itself, and
 * sees all.
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

/** A session, as far as routing, listing and rights need it. */
export const linkSessionSchema = z.strictObject({
  id: sessionId,
  epoch: z.int().min(1),
  state: sessionState,
  owner: z.string(),
  labels,
  stateEpoch: z.int().min(1),
});
export type LinkSession = z.infer<typeof linkSessionSchema>;

const readiness = { ready: z.boolean(), draining: z.boolean(), capacity: agentCapacitySchema };

/** Why a session left its agent. */
export const sessionGoneReason = z.enum([...sessionLostReason.options, 'deleted']);
export type SessionGoneReason = z.infer<typeof sessionGoneReason>;

/** One line of the stream: first a snapshot, then changes. */
export const agentLinkSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('snapshot'),
    pod: z.string(),
    pool: z.string(),
    ...readiness,
    sessions: z.array(linkSessionSchema),
  }),
  z.strictObject({ type: z.literal('capacity'), ...readiness }),
  z.strictObject({ type: z.literal('session'), session: linkSessionSchema }),
  z.strictObject({ type: z.literal('session_gone'), id: sessionId, reason: sessionGoneReason }),
  z.strictObject({ type: z.literal('heartbeat') }),
]);
export type AgentLinkMessage = z.infer<typeof agentLinkSchema>;
