import type { z } from 'zod';
import { problemSchema } from './errors.ts';
import { eventSchema } from './events.ts';
import {
  executeRequestSchema,
  executionErrorSchema,
  executionListSchema,
  executionSchema,
  inputRequestSchema,
  mimeBundleSchema,
  notRunSchema,
  usageSchema,
  userErrorSchema,
  workerDiedSchema,
} from './execution.ts';
import { fileListSchema, fileSchema } from './files.ts';
import { completionSchema, inspectionSchema, introspectRequestSchema } from './introspection.ts';
import { isolationSchema } from './isolation.ts';
import { openApiSchema, type SchemaNode } from './json-schema.ts';
import { limitsPatchSchema, limitsSchema } from './limits.ts';
import { poolListSchema, poolSchema } from './pools.ts';
import { runRequestSchema } from './run.ts';
import {
  createSessionSchema,
  forkSessionSchema,
  patchSessionSchema,
  sessionListSchema,
  sessionSchema,
} from './session.ts';
import {
  endTransactionSchema,
  transactionRequestSchema,
  transactionSchema,
  undoneSchema,
  undoSchema,
} from './transaction.ts';
import { variableChangesSchema, variableDetailSchema, variableListSchema, variableSchema } from './variables.ts';
import { warningSchema } from './warnings.ts';

/** The nouns of the API by the name that a generated client gives them. */
export const components = {
  Problem: problemSchema,
  Session: sessionSchema,
  SessionList: sessionListSchema,
  CreateSession: createSessionSchema,
  PatchSession: patchSessionSchema,
  ForkSession: forkSessionSchema,
  Limits: limitsSchema,
  LimitsPatch: limitsPatchSchema,
  Isolation: isolationSchema,
  Usage: usageSchema,
  ExecuteRequest: executeRequestSchema,
  Execution: executionSchema,
  ExecutionList: executionListSchema,
  ExecutionError: executionErrorSchema,
  UserError: userErrorSchema,
  WorkerDied: workerDiedSchema,
  NotRun: notRunSchema,
  Transaction: transactionSchema,
  TransactionRequest: transactionRequestSchema,
  EndTransaction: endTransactionSchema,
  Undo: undoSchema,
  Undone: undoneSchema,
  MimeBundle: mimeBundleSchema,
  Warning: warningSchema,
  InputRequest: inputRequestSchema,
  Event: eventSchema,
  VariableChanges: variableChangesSchema,
  Variable: variableSchema,
  VariableDetail: variableDetailSchema,
  VariableList: variableListSchema,
  IntrospectRequest: introspectRequestSchema,
  Completion: completionSchema,
  Inspection: inspectionSchema,
  FileEntry: fileSchema,
  FileList: fileListSchema,
  RunRequest: runRequestSchema,
  Pool: poolSchema,
  PoolList: poolListSchema,
} as const satisfies Record<string, z.ZodType>;

export type ComponentName = keyof typeof components;

/** `{$ref}` to a noun. */
export function componentRef(name: ComponentName): SchemaNode {
  return { $ref: `#/components/schemas/${name}` };
}

/** Every noun as a schema that refers to the others by name. */
export function componentSchemas(): Record<string, SchemaNode> {
  const entries = Object.entries(components) as [ComponentName, z.ZodType][];
  const inlined = entries.map(([name, schema]) => [name, openApiSchema(schema, { inline: true })] as const);
  const nameOf = new Map(inlined.map(([name, node]) => [shapeOf(node), name]));
  return Object.fromEntries(
    inlined.map(([name, node]) => [name, mapChildren(node, (child) => replaceNouns(child, nameOf))]),
  );
}

/** A schema apart from its description, which says what it is in one place only. */
function shapeOf({ description: _, ...shape }: SchemaNode): string {
  return JSON.stringify(shape);
}

/** Puts a `$ref` where a node has the shape of one of the nouns; the outermost first. */
function replaceNouns(node: SchemaNode, nameOf: ReadonlyMap<string, ComponentName>): SchemaNode {
  const name = nameOf.get(shapeOf(node));
  return name === undefined ? mapChildren(node, (child) => replaceNouns(child, nameOf)) : componentRef(name);
}

function mapChildren(node: SchemaNode, change: (child: SchemaNode) => SchemaNode): SchemaNode {
  const isChild = (value: unknown): value is SchemaNode =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(node).map(([keyword, value]) => {
      if (Array.isArray(value)) return [keyword, value.map((item) => (isChild(item) ? change(item) : item))];
      if (keyword === 'properties' && isChild(value)) {
        const properties = Object.entries(value).map(([key, it]) => [key, isChild(it) ? change(it) : it]);
        return [keyword, Object.fromEntries(properties)];
      }
      return [keyword, isChild(value) && keyword !== 'default' ? change(value) : value];
    }),
  );
}

/** A schema of its own, such as a query parameter's. */
export function plainSchema(schema: z.ZodType): SchemaNode {
  return openApiSchema(schema, { inline: true });
}
