import { z } from 'zod';

/** The versions of the worker protocol that this release speaks, the newest last. */
export const WORKER_PROTOCOL_VERSIONS: readonly number[] = [1];

/** How messages after the hello are written. */
export const frameCodecs = ['msgpack', 'json'] as const;
export const frameCodec = z.enum(frameCodecs);
export type FrameCodec = z.infer<typeof frameCodec>;

/** The hello must be complete within this time. */
export const HELLO_TIMEOUT_MS = 10_000;

/** A worker's or launcher's first frame, always JSON. Unknown fields are ignored: a newer worker may say more. */
export const workerHelloSchema = z.object({
  type: z.literal('hello'),
  protocol: z.array(z.int().min(1)).min(1),
  codecs: z.array(z.string()).min(1),
  language: z.string(),
  languageVersion: z.string().optional(),
  transport: z.enum(['socket', 'fds', 'stdio']),
  capabilities: z.array(z.string()),
  pid: z.int().min(1),
  token: z.string().optional(),
});
export type WorkerHello = z.infer<typeof workerHelloSchema>;

/** The agent's answer, always JSON; the end of file follows a refusal. */
export const agentHelloSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), protocol: z.int().min(1), codec: frameCodec }),
  z.strictObject({ type: z.literal('refused'), code: z.string(), message: z.string() }),
]);
export type AgentHello = z.infer<typeof agentHelloSchema>;

/** The answer to a hello: the newest common version and our first codec that the worker has, or a refusal. */
export function answerHello(hello: WorkerHello): AgentHello {
  const protocol = WORKER_PROTOCOL_VERSIONS.findLast((version) => hello.protocol.includes(version));
  if (protocol === undefined) {
    const message = `no common protocol version: the worker has ${hello.protocol}, the agent ${WORKER_PROTOCOL_VERSIONS}`;
    return { type: 'refused', code: 'NO_COMMON_VERSION', message };
  }
  const codec = frameCodecs.find((it) => hello.codecs.includes(it));
  if (codec === undefined) {
    const message = `no common codec: the worker has ${hello.codecs}, the agent ${frameCodecs}`;
    return { type: 'refused', code: 'NO_COMMON_CODEC', message };
  }
  return { type: 'hello', protocol, codec };
}
