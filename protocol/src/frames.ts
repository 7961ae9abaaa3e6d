import { z } from 'zod';
import { errorCodes } from './error-registry.ts';
import { userErrorSchema } from './execution.ts';
import { jsonSafe } from './json-safe.ts';
import { count, executionId, requestId } from './names.ts';
import { snapshotKind } from './transaction.ts';
import { variableChangesSchema } from './variables.ts';
import { warningCode } from './warnings.ts';

/** Bytes in a frame: binary in msgpack, base64 in JSON. */
export const bytesSchema = z.union([
  z.instanceof(Uint8Array),
  z.base64().transform((text): Uint8Array => Buffer.from(text, 'base64')),
]);

/** What every frame after the hello carries: its number, and the highest number received. */
const numbered = { n: z.int().min(1), ack: count };
const environment = z.record(z.string(), z.string());
const pid = z.int().min(1);
/** Bytes unread in fds 1 and 2 when the frame was made. */
const pipes = z.tuple([count, count]);
/** Values that come from user code, made fit for JSON at this boundary. */
const fromUser = z.unknown().transform(jsonSafe);
const recordFromUser = z.record(z.string(), fromUser);
const mime = { data: recordFromUser, metadata: recordFromUser };
const inExecution = { execution: executionId, pipes };
const perhapsInExecution = { execution: executionId.optional(), pipes };
const question = { request: requestId, code: z.string(), cursor: count, snapshot: z.string().optional() };

/** What a twin is told that goes on as a session of its own. */
export const branchSchema = z.strictObject({
  session: z.string(),
  directory: z.string().describe('Has the FIFOs of its output.'),
  cwd: z.string().describe('Its working folder, a copy of `formerCwd`.'),
  formerCwd: z.string(),
});
export type Branch = z.infer<typeof branchSchema>;

function frame<T extends string, S extends z.core.$ZodLooseShape>(type: T, shape: S) {
  return z.strictObject({ type: z.literal(type), ...numbered, ...shape });
}

const heartbeat = frame('heartbeat', {});
const shutdown = frame('shutdown', {});

/** Agent → launcher. */
export const toLauncherSchema = z.discriminatedUnion('type', [
  frame('zygote_start', {
    zygote: z.string(),
    preload: z.array(z.string()),
    warmupCode: z.string(),
    env: environment,
    cpu: z.number().positive(),
  }),
  frame('zygote_stop', { zygote: z.string() }),
  frame('fork', {
    zygote: z.string(),
    worker: z.string(),
    socket: z.string(),
    token: z.string(),
    directory: z.string(),
  }),
  frame('wake', { worker: z.string(), pid }),
  frame('stacks', { worker: z.string(), pid }),
  frame('kill', { worker: z.string(), pid, spare: z.array(pid).optional() }),
  frame('adopt', {
    worker: z.string(),
    pid,
    of: z.string(),
    directory: z.string().optional().describe('Of a live copy: its pipes are made in there.'),
  }),
  shutdown,
]);
export type ToLauncherFrame = z.infer<typeof toLauncherSchema>;

/** How a process ended: one of a code and the name of a signal. */
const ended = { pid, code: z.int().optional(), signal: z.string().optional() };

/** Launcher → agent. */
export const fromLauncherSchema = z.discriminatedUnion('type', [
  frame('zygote_ready', { zygote: z.string(), pid, durationMs: z.number().min(0) }),
  frame('zygote_failed', { zygote: z.string(), error: userErrorSchema }),
  frame('zygote_exited', { zygote: z.string(), ...ended }),
  frame('forked', { worker: z.string(), pid }),
  frame('fork_failed', { worker: z.string(), message: z.string(), errno: z.int().optional() }),
  frame('exited', ended),
  frame('adopted', { worker: z.string(), pid, isOurs: z.boolean() }),
  frame('killed', { worker: z.string() }),
  frame('stacks', { worker: z.string(), text: z.string() }),
]);
export type FromLauncherFrame = z.infer<typeof fromLauncherSchema>;

/** Agent → worker. */
export const toWorkerSchema = z.discriminatedUnion('type', [
  frame('open', {
    session: z.string(),
    cwd: z.string(),
    env: z.record(z.string(), z.string().nullable()),
    fileDescriptors: count,
  }),
  frame('execute', {
    execution: executionId,
    code: z.string(),
    silent: z.boolean(),
    executionCount: count,
    hasInput: z.boolean(),
  }),
  frame('input_reply', { request: requestId, value: z.string().optional(), eof: z.literal(true).optional() }),
  frame('interrupt', { execution: executionId }),
  frame('complete', question),
  frame('inspect', question),
  frame('variables', { request: requestId, name: z.string().optional(), snapshot: z.string().optional() }),
  frame('snapshot', {
    request: requestId,
    snapshot: z.string(),
    kinds: z.array(snapshotKind).min(1),
    socket: z.string(),
    token: z.string(),
    maxBytes: count,
  }),
  frame('discard', { snapshot: z.string() }),
  frame('rollback', { request: requestId, snapshot: z.string() }),
  frame('handles', { request: requestId }),
  frame('fork', {
    request: requestId,
    branches: z.array(z.strictObject({ branch: z.string(), token: z.string() })).min(1),
    socket: z.string(),
  }),
  frame('resume', { branch: branchSchema.optional() }),
  frame('oom_step', { step: count.max(1000) }),
  heartbeat,
  shutdown,
]);
export type ToWorkerFrame = z.infer<typeof toWorkerSchema>;

const display = { ...perhapsInExecution, ...mime, transient: recordFromUser.optional() };
const stdio = { execution: executionId.optional(), data: bytesSchema };

/** The `value` that answers `snapshot`. */
export const snapshotTakenSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fork'), pid, costMs: z.number().min(0) }),
  z.strictObject({
    kind: z.literal('copy'),
    costMs: z.number().min(0),
    bytes: count,
    notCopied: z.array(z.strictObject({ name: z.string(), why: z.string() })),
    reason: z.string().optional(),
  }),
]);
export type SnapshotTaken = z.infer<typeof snapshotTakenSchema>;

/** The `value` that answers `fork`: one process for each of the branches, in their order. */
export const forkedSchema = z.strictObject({ pids: z.array(pid).max(64), costMs: z.number().min(0) });
export type Forked = z.infer<typeof forkedSchema>;

/** The `value` that answers `handles`. */
export const handlesSchema = z.strictObject({ items: z.array(z.string()).max(200) });

/** Worker → agent. */
export const fromWorkerSchema = z.discriminatedUnion('type', [
  frame('ready', {}),
  frame('opened', { session: z.string().optional(), error: userErrorSchema.optional() }),
  frame('started', { execution: executionId }),
  frame('result', { ...inExecution, ...mime }),
  frame('display', display),
  frame('update_display', display),
  frame('clear_output', { ...perhapsInExecution, wait: z.boolean() }),
  frame('error', { ...inExecution, error: userErrorSchema }),
  frame('input_request', {
    ...perhapsInExecution,
    request: requestId,
    prompt: z.string(),
    password: z.boolean(),
    main: z.boolean().describe('Whether the main thread waits, or another while the code may go on.'),
  }),
  frame('input_cancelled', { request: requestId }),
  frame('warning', { execution: executionId.optional(), code: warningCode, message: z.string() }),
  frame('finished', {
    ...inExecution,
    status: z.enum(['ok', 'error', 'interrupted']),
    executionCount: count,
    variables: variableChangesSchema,
    usage: z.strictObject({ cpuMs: z.number().min(0), maxRssBytes: count }),
  }),
  frame('reply', { request: requestId, value: fromUser }),
  frame('problem', { request: requestId, code: z.enum(errorCodes), message: z.string() }),
  heartbeat,
  frame('stdout', stdio),
  frame('stderr', stdio),
]);
export type FromWorkerFrame = z.infer<typeof fromWorkerSchema>;
