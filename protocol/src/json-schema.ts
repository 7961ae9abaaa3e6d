import { z } from 'zod';

/** A JSON Schema node, as far as it is changed here. */
export interface SchemaNode {
  [keyword: string]: unknown;
}

function isNode(value: unknown): value is SchemaNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const INTEGER_BOUNDS: Readonly<Record<string, number>> = {
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
};

/** Applies `change` to every node, the children first; names of properties are not keywords. */
export function mapSchema(node: SchemaNode, change: (node: SchemaNode) => SchemaNode): SchemaNode {
  const mapped: SchemaNode = {};
  for (const [keyword, value] of Object.entries(node)) {
    mapped[keyword] = mapKeyword(keyword, value, change);
  }
  return change(mapped);
}

function mapKeyword(keyword: string, value: unknown, change: (node: SchemaNode) => SchemaNode): unknown {
  if (keyword === 'default' || keyword === 'enum') return value;
  if (Array.isArray(value)) return value.map((item) => (isNode(item) ? mapSchema(item, change) : item));
  if (!isNode(value)) return value;
  if (keyword === 'properties') {
    return Object.fromEntries(
      Object.entries(value).map(([name, property]) => [
        name,
        isNode(property) ? mapSchema(property, change) : property,
      ]),
    );
  }
  return mapSchema(value, change);
}

/** Without the bounds that every safe integer has, and without zod's own pattern of what `format` says already. */
function withoutNoise(node: SchemaNode): SchemaNode {
  const noise = (keyword: string, value: unknown) =>
    (Object.hasOwn(INTEGER_BOUNDS, keyword) && INTEGER_BOUNDS[keyword] === value) ||
    (keyword === 'pattern' && node.format === 'date-time');
  return Object.fromEntries(Object.entries(node).filter(([keyword, value]) => !noise(keyword, value)));
}

/** The schema in the dialect of OpenAPI 3.0, which CRDs share; of what is read, not of what a parse makes of it. */
export function openApiSchema(schema: z.ZodType, options: { readonly inline: boolean }): SchemaNode {
  const reused = options.inline ? 'inline' : 'ref';
  const converted = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', reused, unrepresentable: 'any' });
  return mapSchema({ ...converted }, withoutNoise);
}
