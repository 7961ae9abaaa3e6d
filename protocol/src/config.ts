import { z } from 'zod';
import { poolName } from './names.ts';
import { replPoolSpecSchema } from './replpool.ts';

export const listenSchema = z.strictObject({ host: z.string(), port: z.int().min(0).max(65_535) });
export type Listen = z.infer<typeof listenSchema>;

const health = listenSchema
  .optional()
  .describe('A plain port with /healthz, /readyz and /metrics and nothing else, for a cluster to look at.');

/** What an agent is started with. */
export const agentConfigSchema = z.strictObject({
  pool: poolName,
  pod: z.string().min(1),
  listen: listenSchema,
  health,
  token: z.string().min(1).describe('What the router must send as Authorization: Bearer.'),
  spec: replPoolSpecSchema,
  python: z.string().min(1).describe('The interpreter that has replpool_worker.'),
  runDirectory: z.string().min(1).describe("Sockets, FIFOs and the sessions' folders."),
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** An agent as a router reaches it. */
export const agentEndpointSchema = z.strictObject({
  pod: z.string().min(1),
  pool: poolName,
  url: z.url(),
  token: z.string().min(1),
});
export type AgentEndpoint = z.infer<typeof agentEndpointSchema>;

/** A key is stored as its SHA-256 in lower-case hex. */
export const apiKeySchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .refine((name) => name.isWellFormed(), 'has half a surrogate pair, which no header can carry'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hex'),
  admin: z.boolean().optional(),
});

export const authConfigSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('none') }),
  z.strictObject({ mode: z.literal('apiKeys'), keys: z.array(apiKeySchema) }),
]);
export type AuthConfig = z.infer<typeof authConfigSchema>;

/** What a router is started with. */
export const routerConfigSchema = z.strictObject({
  listen: listenSchema,
  health,
  auth: authConfigSchema,
  agents: z.array(agentEndpointSchema),
  includeAgentMetrics: z
    .boolean()
    .optional()
    .describe("/metrics has the sum of the agents' too. Not in a cluster, where each of them is scraped itself."),
});
export type RouterConfig = z.infer<typeof routerConfigSchema>;

/** One line on a router's stdin: the agents that there are from now on. */
export const routerUpdateSchema = z.strictObject({ agents: z.array(agentEndpointSchema) });
export type RouterUpdate = z.infer<typeof routerUpdateSchema>;
