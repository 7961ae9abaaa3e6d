import { z } from 'zod';
import { cel } from './cel.ts';
import { OWN_MARKS } from './cluster-marks.ts';
import { dnsSubdomain } from './names.ts';
import { quantitySchema } from './quantity.ts';

/** Of a Secret or ConfigMap; it becomes a file's name, and so does the object's. */
const dataKey = z
  .string()
  .max(253)
  .regex(/^([-_A-Za-z0-9]|\.[-_A-Za-z0-9])[-._A-Za-z0-9]*$/, 'not a key of A-Z, a-z, 0-9, "-", "_" and "."');
const keyRef = z.strictObject({ name: dnsSubdomain, key: dataKey, optional: z.boolean().optional() });
const sourceRef = z.strictObject({ name: dnsSubdomain, optional: z.boolean().optional() });

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

/** A bound on a map, or the API server would find the rules over its keys too costly. */
const MOST_MARKS = 256;

/** Labels or annotations for pods. What the operator says by its own of each pod, such as when its drain ends, no template says of all. */
const foreignMarks = stringMap
  .refine((marks) => Object.keys(marks).length <= MOST_MARKS, `at most ${MOST_MARKS}`)
  .meta({ maxProperties: MOST_MARKS });
const hasOwnMark = (marks: Readonly<Record<string, string>> = {}) =>
  Object.keys(marks).some((key) => key.startsWith(OWN_MARKS));
const withoutOwnMarks = <F extends 'labels' | 'annotations'>(field: F) => ({
  rule: `!has(self.${field}) || self.${field}.all(key, !key.startsWith('${OWN_MARKS}'))`,
  message: `${field} must not begin with ${OWN_MARKS}`,
  field,
  holds: (template: { readonly [K in F]?: Readonly<Record<string, string>> | undefined }) =>
    !hasOwnMark(template[field]),
});

/** An allow-list: who may write a ReplPool must not get the node, so no images, volumes or security contexts. */
export const podTemplateSchema = cel(
  z.strictObject({
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
    labels: foreignMarks.optional(),
    annotations: foreignMarks.optional(),
    imagePullSecrets: z
      .array(z.strictObject({ name: z.string().min(1).max(253) }))
      .max(16)
      .optional(),
  }),
  withoutOwnMarks('labels'),
  withoutOwnMarks('annotations'),
);
