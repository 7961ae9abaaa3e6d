import { mapSchema, openApiSchema, type SchemaNode } from './json-schema.ts';
import { QUANTITY_PATTERN } from './quantity.ts';
import { REPLPOOL_GROUP, REPLPOOL_KIND, REPLPOOL_VERSION, replPoolSpecSchema } from './replpool.ts';
import { replPoolStatusSchema } from './replpool-status.ts';

function isIntOrString(node: SchemaNode): boolean {
  const branches = node.anyOf;
  if (!Array.isArray(branches)) return false;
  const types = branches.map((branch: SchemaNode) => branch.type);
  return types.length === 2 && types.includes('integer') && types.includes('string');
}

/** The API server checks the rules of an object on its default as it is written, before the defaults of its fields are filled in. */
function withWholeDefault(node: SchemaNode): SchemaNode {
  const { default: written, properties } = node;
  if (!isObject(written) || !isObject(properties)) return node;
  const ofFields = Object.entries(properties).flatMap(([name, field]) =>
    isObject(field) && field.default !== undefined ? [[name, field.default] as const] : [],
  );
  return { ...node, default: { ...Object.fromEntries(ofFields), ...written } };
}

function isObject(value: unknown): value is SchemaNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a structural schema may say: the API server refuses `additionalProperties: false`, and prunes instead. */
function structural(node: SchemaNode): SchemaNode {
  if (isIntOrString(node)) {
    const { anyOf: _, ...rest } = node;
    return { ...rest, 'x-kubernetes-int-or-string': true, pattern: QUANTITY_PATTERN.source };
  }
  const { additionalProperties, ...rest } = node;
  if (rest.type === 'integer') return { ...rest, format: 'int64' };
  if (additionalProperties === undefined || additionalProperties === false) return rest;
  const anything = typeof additionalProperties === 'object' && Object.keys(additionalProperties ?? {}).length === 0;
  return anything ? { ...rest, 'x-kubernetes-preserve-unknown-fields': true } : { ...rest, additionalProperties };
}

/** Optional properties of a record have their own shape; only objects get here. */
function structuralSchema(schema: Parameters<typeof openApiSchema>[0]): SchemaNode {
  return mapSchema(openApiSchema(schema, { inline: true }), (node) => withWholeDefault(structural(node)));
}

function column(name: string, type: string, jsonPath: string, priority = 0): SchemaNode {
  return { name, type, jsonPath, ...(priority === 0 ? {} : { priority }) };
}

/** The CustomResourceDefinition of ReplPool: what the API server checks without a webhook. */
export function replPoolCrd(): SchemaNode {
  const plural = 'replpools';
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${REPLPOOL_GROUP}` },
    spec: {
      group: REPLPOOL_GROUP,
      scope: 'Namespaced',
      names: {
        kind: REPLPOOL_KIND,
        listKind: `${REPLPOOL_KIND}List`,
        plural,
        singular: 'replpool',
        shortNames: ['rp'],
        categories: ['all'],
      },
      versions: [
        {
          name: REPLPOOL_VERSION,
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            column('Desired', 'integer', '.status.desiredReplicas'),
            column('Ready', 'integer', '.status.readyReplicas'),
            column('Active', 'integer', '.status.sessions.active'),
            column('Idle', 'integer', '.status.sessions.idle'),
            column('Hit-Rate', 'string', '.status.warmHitRatio'),
            column('Capacity', 'integer', '.status.sessions.capacity', 1),
            column('Isolation', 'string', '.status.isolation', 1),
            column('Status', 'string', '.status.conditions[?(@.type=="Ready")].reason'),
            column('Age', 'date', '.metadata.creationTimestamp'),
          ],
          schema: {
            openAPIV3Schema: {
              description: 'A set of pods that hold warm sessions.',
              type: 'object',
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: { ...structuralSchema(replPoolSpecSchema), default: {} },
                status: structuralSchema(replPoolStatusSchema),
              },
              'x-kubernetes-validations': [
                {
                  // The rule of `poolResourceName`: a CRD has no schema for the names of its objects.
                  rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 49",
                  message: 'metadata.name must be a DNS label of at most 49 characters',
                },
              ],
            },
          },
        },
      ],
    },
  };
}
