import { z } from 'zod';
import { problemSchema } from './errors.ts';
import { eventSchema } from './events.ts';
import { executeRequestSchema } from './execution.ts';
import { count, executionId, requestId, sessionId } from './names.ts';
import { sessionState } from './session.ts';
import { endTransactionSchema, undoSchema } from './transaction.ts';

/** The subprotocols of the channel, in no order: the client's offer has it. */
export const CHANNEL_MSGPACK = 'replpool.v1.msgpack';
export const CHANNEL_JSON = 'replpool.v1.json';
export const channelSubprotocols = [CHANNEL_MSGPACK, CHANNEL_JSON] as const;
export type ChannelSubprotocol = (typeof channelSubprotocols)[number];

/** The version that the channel's hello says. */
export const CHANNEL_VERSION = 1;

/** The first subprotocol of the client's offer that is known here; undefined where there is none. */
export function chooseSubprotocol(offered: Iterable<string>): ChannelSubprotocol | undefined {
  for (const name of offered) {
    const known = channelSubprotocols.find((it) => it === name);
    if (known !== undefined) return known;
  }
  return undefined;
}

/** Close codes of the channel. */
export const closeCodes = { undecodable: 1007, tooLarge: 1009, moved: 1012 } as const;

const question = { request: requestId, code: z.string(), cursor: count };

export const channelExecuteSchema = z.strictObject({
  type: z.literal('execute'),
  ...executeRequestSchema.shape,
  id: executionId,
});
export const channelInputSchema = z
  .strictObject({
    type: z.literal('input'),
    execution: executionId,
    value: z.string().optional(),
    eof: z.literal(true).optional(),
  })
  .refine((it) => (it.value === undefined) !== (it.eof === undefined), {
    path: ['value'],
    error: 'exactly one of value and eof is needed',
  });
export const channelInterruptSchema = z.strictObject({
  type: z.literal('interrupt'),
  execution: executionId.optional(),
});
export const channelCompleteSchema = z.strictObject({ type: z.literal('complete'), ...question });
export const channelInspectSchema = z.strictObject({ type: z.literal('inspect'), ...question });
/** Answered by `reply` with the transaction, or by `problem`. */
const ending = { request: requestId, ...endTransactionSchema.shape };
export const channelCommitSchema = z.strictObject({ type: z.literal('commit'), ...ending });
export const channelRollbackSchema = z.strictObject({ type: z.literal('rollback'), ...ending });
/** Answered by `reply` with what was undone, or by `problem`. */
export const channelUndoSchema = z.strictObject({ type: z.literal('undo'), request: requestId, ...undoSchema.shape });
export const channelAckSchema = z.strictObject({ type: z.literal('ack'), seq: count });
export const channelPingSchema = z.strictObject({ type: z.literal('ping') });

/** Client → server. */
export const clientMessageSchema = z.discriminatedUnion('type', [
  channelExecuteSchema,
  channelInputSchema,
  channelInterruptSchema,
  channelCompleteSchema,
  channelInspectSchema,
  channelCommitSchema,
  channelRollbackSchema,
  channelUndoSchema,
  channelAckSchema,
  channelPingSchema,
]);
export type ClientMessage = z.infer<typeof clientMessageSchema>;

/** The first message of the server; `seq` is the last event's number. */
export const channelHelloSchema = z.strictObject({
  type: z.literal('hello'),
  session: sessionId,
  epoch: z.int().min(1),
  seq: count,
  state: sessionState,
  protocol: z.int().min(1),
});

export const channelReplySchema = z.strictObject({
  type: z.literal('reply'),
  request: requestId,
  value: z.unknown(),
});
export const channelProblemSchema = z.strictObject({
  type: z.literal('problem'),
  request: requestId.optional(),
  execution: executionId.optional(),
  problem: problemSchema,
});
export const channelPongSchema = z.strictObject({ type: z.literal('pong') });

/** Server → client, apart from the events; none of these has a `seq` of its own in the log. */
export const controlMessageSchema = z.discriminatedUnion('type', [
  channelHelloSchema,
  channelReplySchema,
  channelProblemSchema,
  channelPongSchema,
]);
export type ControlMessage = z.infer<typeof controlMessageSchema>;

/** Server → client. */
export const serverMessageSchema = z.discriminatedUnion('type', [controlMessageSchema, eventSchema]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;
