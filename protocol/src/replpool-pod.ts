import { z } from 'zod';
import { quantitySchema } from './quantity.ts';

const keyRef = z.strictObject({
  name: z.string().min(1).max(253),
  key: z.string().min(1).max(253),
  optional: z.boolean().optional(),
});
const sourceRef = z.strictObject({ name: z.string().min(1).max(253), optional: z.boolean().optional() });

/** As in a container's `env`. */
export const environmentVariable = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/),
  value: z.string().max(131_072).optional(),
  valueFrom: z.strictObject({ secretKeyRef: keyRef.optional(), configMapKeyRef: keyRef.optional() }).optional(),
});

/** As in a container's `envFrom`. */
export const environmentSource = z.strictObject({
  prefix: z.string().max(253).optional(),
  secretRef: sourceRef.optional(),
  configMapRef: sourceRef.optional(),
});

const resourceList = z.record(z.string(), quantitySchema);
const stringMap = z.record(z.string(), z.string());

/** An allow-list: who may write a ReplPool must not get the node, so no images, volumes or security contexts. */
export const podTemplateSchema = z.strictObject({
  resources: z.strictObject({ requests: resourceList.optional(), limits: resourceList.optional() }).optional(),
  nodeSelector: stringMap.optional(),
  tolerations: z
    .array(
      z.strictObject({
        key: z.string().optional(),
        operator: z.enum(['Exists', 'Equal']).optional(),
        value: z.string().optional(),
        effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
        tolerationSeconds: z.int().optional(),
      }),
    )
    .max(64)
    .optional(),
  affinity: z.looseObject({}).optional(),
  priorityClassName: z.string().max(253).optional(),
  labels: stringMap.optional(),
  annotations: stringMap.optional(),
  imagePullSecrets: z
    .array(z.strictObject({ name: z.string().min(1).max(253) }))
    .max(16)
    .optional(),
});
