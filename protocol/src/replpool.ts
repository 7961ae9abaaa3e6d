import { z } from 'zod';
import { cel } from './cel.ts';
import { cidr } from './cidr.ts';
import { isolationLevel } from './isolation.ts';
import { limitsPatchSchema, poolLimitsSchema } from './limits.ts';
import { count, dnsLabel, MAX_SESSIONS_PER_POD, poolResourceName } from './names.ts';
import { parseQuantity } from './quantity.ts';
import { checkpointsSchema } from './replpool-checkpoints.ts';
import { environmentSource, environmentVariable, podTemplateSchema } from './replpool-pod.ts';
import { replPoolStatusSchema } from './replpool-status.ts';

export const REPLPOOL_GROUP = 'replpool.dev';
export const REPLPOOL_VERSION = 'v1alpha1';
export const REPLPOOL_API_VERSION = `${REPLPOOL_GROUP}/${REPLPOOL_VERSION}` as const;
export const REPLPOOL_KIND = 'ReplPool';

/** The template of a session that names none: the pool's own `preload`, `warmupCode` and limits. */
export const DEFAULT_TEMPLATE = 'default';

const modules = z
  .array(
    z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/)
      .max(253),
  )
  .max(256);
const code = z.string().max(65_536);

export const autoscalingSchema = cel(
  z.strictObject({
    minReplicas: z.int().min(0).max(10_000).default(1),
    maxReplicas: z.int().min(1).max(10_000),
    targetFreeSessions: count.default(8),
    scaleDownDelaySeconds: count.default(300),
  }),
  {
    rule: 'self.minReplicas <= self.maxReplicas',
    message: 'minReplicas must not exceed maxReplicas',
    field: 'minReplicas',
    holds: (it) => it.minReplicas <= it.maxReplicas,
  },
);

export const runtimeSchema = z.strictObject({
  language: z.enum(['python']).default('python'),
  image: z.string().max(1024).default(''),
  requirements: z.array(z.string().min(1).max(1024)).max(512).default([]),
  preload: modules.default([]),
  warmupCode: code.default(''),
  env: z.array(environmentVariable).max(256).default([]),
  envFrom: z.array(environmentSource).max(64).default([]),
});

/** A kind of session in a pool; what is absent is the pool's. */
export const templateSchema = z.strictObject({
  name: dnsLabel,
  preload: modules.optional(),
  warmupCode: code.optional(),
  env: z.array(environmentVariable).max(256).optional(),
  limits: limitsPatchSchema.optional(),
});

export const sessionsSchema = cel(
  z.strictObject({
    maxPerPod: z.int().min(1).max(MAX_SESSIONS_PER_POD).default(32),
    minIdle: count.default(4),
    idleTimeoutSeconds: z.int().min(1).default(1800),
    maxLifetimeSeconds: z.int().min(1).default(86_400),
    onCrash: z.enum(['Recover', 'Lose']).default('Recover'),
    overcommit: z.number().min(1).max(1000).default(8),
    queueLength: count.default(100),
    keepSnapshots: count.max(1000).default(0),
    interruptGraceSeconds: z.int().min(1).max(3600).default(5),
    limits: cel(poolLimitsSchema, {
      rule: 'self.executionSeconds <= self.maxExecutionSeconds',
      message: 'executionSeconds must not exceed maxExecutionSeconds',
      field: 'executionSeconds',
      holds: (it) => it.executionSeconds <= it.maxExecutionSeconds,
    }).prefault({}),
  }),
  {
    rule: 'self.minIdle <= self.maxPerPod',
    message: 'minIdle must not exceed maxPerPod',
    field: 'minIdle',
    holds: (it) => it.minIdle <= it.maxPerPod,
  },
);

export const isolationSpecSchema = z.strictObject({
  level: isolationLevel.default('None'),
  cgroups: z
    .enum(['Delegate', 'Runtime', 'Privileged', 'None'])
    .optional()
    .describe(
      'How agents have the cgroups that hold the limits of memory, cpu and processes; an agent that cannot have them so does not start. Absent: the best there is, and what is missing is named in session.isolation.',
    ),
  runtimeClassName: z.string().max(253).default(''),
});

/** Where sessions may connect to. */
export const egressRuleSchema = z.strictObject({
  cidr,
  ports: z.array(z.int().min(1).max(65_535)).max(64).optional(),
});

export const networkSchema = cel(
  z.strictObject({
    egress: z.enum(['Deny', 'Allow', 'Rules']).default('Deny'),
    rules: z.array(egressRuleSchema).max(256).default([]),
    packageIndex: z.string().max(1024).default(''),
  }),
  {
    rule: "self.egress == 'Rules' || size(self.rules) == 0",
    message: 'rules are only read with egress: Rules',
    field: 'rules',
    holds: (it) => it.egress === 'Rules' || it.rules.length === 0,
  },
);

export const updateSchema = cel(
  z.strictObject({
    maxUnavailable: count.default(1),
    maxSurge: count.default(1),
    drainSeconds: z.int().min(0).max(86_400).default(120),
  }),
  {
    rule: 'self.maxUnavailable + self.maxSurge > 0',
    message: 'maxUnavailable and maxSurge must not both be 0',
    field: 'maxUnavailable',
    holds: (it) => it.maxUnavailable + it.maxSurge > 0,
  },
);

/** The templates are a map by their names. */
const templates = z
  .array(templateSchema)
  .max(64)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
  .refine((it) => new Set(it.map((template) => template.name)).size === it.length, 'two templates of the same name');

export const replPoolSpecSchema = z.strictObject({
  replicas: z.int().min(0).max(10_000).default(1),
  autoscaling: autoscalingSchema
    .optional()
    .describe('Wins over replicas, and so over kubectl scale and a HorizontalPodAutoscaler, which set those.'),
  runtime: runtimeSchema.prefault({}),
  templates: templates.default([]),
  sessions: sessionsSchema.prefault({}),
  checkpoints: checkpointsSchema.prefault({}),
  isolation: isolationSpecSchema.prefault({}),
  network: networkSchema.prefault({}),
  update: updateSchema.prefault({}),
  paused: z.boolean().default(false),
  podTemplate: podTemplateSchema.prefault({}),
});
/** A spec with every default filled in. */
export type ReplPoolSpec = z.output<typeof replPoolSpecSchema>;
/** A spec as it is written. */
export type ReplPoolSpecInput = z.input<typeof replPoolSpecSchema>;

/** Kubernetes adds fields to the metadata as it likes. */
export const metadataSchema = z.looseObject({
  name: poolResourceName,
  namespace: dnsLabel.optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

/** The resource, as in a cluster and in a file of `replpool dev`. */
export const replPoolSchema = z.strictObject({
  apiVersion: z.literal(REPLPOOL_API_VERSION),
  kind: z.literal(REPLPOOL_KIND),
  metadata: metadataSchema,
  spec: replPoolSpecSchema.prefault({}),
  status: replPoolStatusSchema.optional(),
});
export type ReplPool = z.output<typeof replPoolSchema>;
export type ReplPoolInput = z.input<typeof replPoolSchema>;

/** Whether every limit is at most the pool's; else the first field that is not. */
export function limitAbovePool(
  asked: z.output<typeof limitsPatchSchema>,
  pool: z.output<typeof poolLimitsSchema>,
): keyof typeof pool | undefined {
  const names = Object.keys(asked) as (keyof typeof pool)[];
  return names.find((name) => {
    const value = asked[name];
    return value !== undefined && parseQuantity(value) > parseQuantity(pool[name]);
  });
}
