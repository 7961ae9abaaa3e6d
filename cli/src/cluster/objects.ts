import { z } from 'zod';

/**
 * What the commands read of the cluster's objects, and no more: a newer release may have fields that this one does not know.
 * Times are RFC 3339.
 */
const strings = z.record(z.string(), z.string()).default({});

const metadata = z.object({
  name: z.string(),
  namespace: z.string().default(''),
  uid: z.string().default(''),
  generation: z.number().default(0),
  labels: strings,
  annotations: strings,
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
});

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(''),
  message: z.string().default(''),
  lastTransitionTime: z.string().optional(),
});
export type SeenCondition = z.infer<typeof condition>;

export const seenPool = z.object({
  metadata,
  spec: z
    .object({
      replicas: z.number().default(1),
      autoscaling: z.object({ minReplicas: z.number().default(1), maxReplicas: z.number() }).optional(),
      paused: z.boolean().default(false),
      update: z.object({ drainSeconds: z.number().default(120) }).prefault({}),
    })
    .prefault({}),
  status: z
    .object({
      replicas: z.number().default(0),
      readyReplicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      sessions: z.object({ active: z.number(), idle: z.number(), capacity: z.number() }).optional(),
      warmHitRatio: z.string().optional(),
      acquireP95Ms: z.number().optional(),
      isolation: z.string().optional(),
      observedGeneration: z.number().default(0),
      conditions: z.array(condition).default([]),
    })
    .optional(),
});
export type SeenPool = z.infer<typeof seenPool>;

const ended = z.object({ reason: z.string().optional(), exitCode: z.number().default(0) });
const containerStatus = z.object({
  name: z.string(),
  ready: z.boolean().default(false),
  restartCount: z.number().default(0),
  state: z
    .object({ waiting: z.object({ reason: z.string().optional() }).optional(), terminated: ended.optional() })
    .prefault({}),
});
const container = z.object({
  name: z.string(),
  image: z.string().default(''),
  ports: z.array(z.object({ name: z.string().default(''), containerPort: z.number() })).default([]),
});

export const seenPod = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    initContainers: z.array(container).default([]),
    containers: z.array(container).default([]),
  }),
  status: z
    .object({
      phase: z.string().default(''),
      reason: z.string().optional(),
      conditions: z.array(condition).default([]),
      initContainerStatuses: z.array(containerStatus).default([]),
      containerStatuses: z.array(containerStatus).default([]),
    })
    .prefault({}),
});
export type SeenPod = z.infer<typeof seenPod>;

/** Of events.k8s.io; those of the older API come with its fields below `deprecated…`. */
export const seenEvent = z.object({
  metadata,
  type: z.string().default(''),
  reason: z.string().default(''),
  note: z.string().default(''),
  eventTime: z.string().nullish(),
  deprecatedLastTimestamp: z.string().nullish(),
  series: z.object({ lastObservedTime: z.string(), count: z.number() }).nullish(),
  regarding: z.object({ kind: z.string().default(''), name: z.string().default('') }).prefault({}),
});
export type SeenEvent = z.infer<typeof seenEvent>;

/** When it happened last. */
export function timeOf(event: SeenEvent): string {
  const { series, deprecatedLastTimestamp, eventTime, metadata } = event;
  return series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';
}

export function isReady({ status }: SeenPod): boolean {
  return status.conditions.some((it) => it.type === 'Ready' && it.status === 'True');
}
