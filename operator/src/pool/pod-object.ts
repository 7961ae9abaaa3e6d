import { type KubeObject, toKubeObject } from '@replpool/kube';
import { z } from 'zod';

const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});
const terminatedSchema = z.object({
  reason: z.string().optional(),
  exitCode: z.int(),
  message: z.string().optional(),
});
const containerStatusSchema = z.object({
  name: z.string(),
  ready: z.boolean(),
  restartCount: z.int(),
  state: z
    .object({
      waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
      running: z.object({}).optional(),
      terminated: terminatedSchema.optional(),
    })
    .optional(),
  lastState: z.object({ terminated: terminatedSchema.optional() }).optional(),
});
const strings = z.record(z.string(), z.string());

/** What the operator reads of a pod; the rest is dropped, for the store holds thousands. Times are RFC 3339. */
export const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: strings.optional(),
    annotations: strings.optional(),
    creationTimestamp: z.string().optional(),
    deletionTimestamp: z.string().optional(),
    ownerReferences: z.array(z.object({ uid: z.string() })).optional(),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      /** Of a failed pod, such as `Evicted`. */
      reason: z.string().optional(),
      message: z.string().optional(),
      podIP: z.string().optional(),
      conditions: z.array(conditionSchema).optional(),
      initContainerStatuses: z.array(containerStatusSchema).optional(),
      containerStatuses: z.array(containerStatusSchema).optional(),
    })
    .optional(),
});
type Pod = z.infer<typeof podSchema>;
export type ContainerStatus = z.infer<typeof containerStatusSchema>;

/** A pod in the operator's store. */
export type PodObject = KubeObject & Pod;

/** @throws ZodError where it is no pod */
export function toPodObject(object: KubeObject): PodObject {
  const { metadata, ...rest } = podSchema.parse(object);
  return { apiVersion: 'v1', kind: 'Pod', ...rest, ...toKubeObject({ metadata }), metadata } as PodObject;
}

/** Whether it will never run again: evicted, refused by the kubelet, or ended, which an agent never does of its own. */
export function hasEnded({ status }: PodObject): boolean {
  return status?.phase === 'Failed' || status?.phase === 'Succeeded';
}
