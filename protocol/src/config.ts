import { z } from 'zod';
import { authConfigSchema } from './auth-config.ts';
import { dnsLabel, poolName, timestamp } from './names.ts';
import { replPoolSpecSchema } from './replpool.ts';
import { tlsFilesSchema } from './tls.ts';

export const listenSchema = z.strictObject({ host: z.string(), port: z.int().min(0).max(65_535) });
export type Listen = z.infer<typeof listenSchema>;

const health = listenSchema
  .optional()
  .describe('A plain port with /healthz, /readyz and /metrics and nothing else, for a cluster to look at.');

/** What an agent is started with. */
export const agentConfigSchema = z
  .strictObject({
    pool: poolName,
    pod: z.string().min(1),
    listen: listenSchema,
    health,
    token: z.string().min(1).optional().describe('What the router must send as Authorization: Bearer.'),
    tls: tlsFilesSchema.optional().describe('Serves HTTPS, to routers and operators of the same authority alone.'),
    spec: replPoolSpecSchema,
    python: z.string().min(1).describe('The interpreter that has replpool_worker.'),
    launcher: z
      .tuple([z.string().min(1)], z.string())
      .optional()
      .describe('The command of a launcher in another language, in place of python -m replpool_worker launcher.'),
    runDirectory: z.string().min(1).describe("Sockets, FIFOs and the sessions' folders."),
    delegation: z
      .string()
      .min(1)
      .optional()
      .describe('Folder in which a delegate beside the agent is asked for cgroups, with isolation.cgroups: Delegate.'),
    environment: z
      .string()
      .min(1)
      .optional()
      .describe('Folder with secrets/NAME/KEY and configMaps/NAME/KEY, which env and envFrom of the spec refer to.'),
  })
  .refine(({ token, tls }) => token !== undefined || tls !== undefined, {
    path: ['token'],
    message: 'an agent is open to nobody without a token or tls',
  });
export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** An agent as a router reaches it. */
export const agentEndpointSchema = z.strictObject({
  pod: z.string().min(1),
  pool: poolName,
  url: z.url().describe('https where the agent has tls.'),
  token: z.string().min(1).optional(),
  revision: z.string().optional().describe('What its pod was made from; new sessions go to the newest that has room.'),
  createdAt: timestamp.optional().describe("Its pod's."),
});
export type AgentEndpoint = z.infer<typeof agentEndpointSchema>;

/** Pods of agents are found by watching the API server. */
export const discoverySchema = z.strictObject({
  watchNamespace: dnsLabel.optional().describe('Only agents of this namespace are served; else those of all.'),
});
export type DiscoveryConfig = z.infer<typeof discoverySchema>;

/** What a router is started with. */
export const routerConfigSchema = z
  .strictObject({
    listen: listenSchema,
    health,
    auth: authConfigSchema,
    agents: z.array(agentEndpointSchema).optional().describe('The agents at the start; further ones come on stdin.'),
    discovery: discoverySchema.optional().describe('In a cluster, in place of agents.'),
    defaultPool: poolName
      .optional()
      .describe(
        'What a request without a pool means. By default the first one of agents, and with discovery the only one open to the caller.',
      ),
    agentTls: tlsFilesSchema.optional().describe('Its client certificate, for agents whose url is https.'),
    drainSeconds: z
      .int()
      .min(0)
      .optional()
      .describe('How long what is under way may take after SIGTERM; 30 by default.'),
    drainDelaySeconds: z
      .int()
      .min(0)
      .optional()
      .describe(
        'The part of drainSeconds for which it goes on listening, until everybody knows that it goes; 5 by default.',
      ),
    includeAgentMetrics: z
      .boolean()
      .optional()
      .describe("/metrics has the sum of the agents' too. Not in a cluster, where each of them is scraped itself."),
  })
  .refine(({ agents, discovery }) => (agents === undefined) !== (discovery === undefined), {
    path: ['agents'],
    message: 'either agents or discovery',
  })
  .refine(({ discovery, agentTls }) => discovery === undefined || agentTls !== undefined, {
    path: ['agentTls'],
    message: 'agents that are found take nobody without a certificate',
  })
  .refine(({ discovery, defaultPool }) => discovery === undefined || defaultPool?.includes(':') !== false, {
    path: ['defaultPool'],
    message: 'in a cluster it is written as namespace:name, for a name alone may be anybody’s',
  });
export type RouterConfig = z.infer<typeof routerConfigSchema>;

/** One line on a router's stdin: the agents that there are from now on. */
export const routerUpdateSchema = z.strictObject({ agents: z.array(agentEndpointSchema) });
export type RouterUpdate = z.infer<typeof routerUpdateSchema>;
