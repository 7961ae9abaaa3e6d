import { z } from 'zod';
import { count } from './names.ts';

/** The names that one execution added to, changed in and deleted from the namespace. */
export const variableChangesSchema = z.strictObject({
  added: z.array(z.string()),
  changed: z
    .array(z.string())
    .describe(
      'Bound to another value, or changed in place: elements of containers, attributes of instances of classes of the session, data of ' +
        'arrays and frames. What stands here has changed; a small change inside something large may be missing.',
    ),
  deleted: z.array(z.string()),
});
export type VariableChanges = z.infer<typeof variableChangesSchema>;

const shape = {
  name: z.string(),
  type: z.string().describe('The name of its class.'),
  summary: z.string().describe('One line of at most 120 characters.'),
  shape: z
    .array(count)
    .optional()
    .describe(
      'The length along each axis: of an array, of a frame (rows, columns), of a container or text its length.',
    ),
  dtype: z
    .string()
    .optional()
    .describe('Of an array, a series or an index: the type of its elements, as its library names it.'),
  size: count
    .optional()
    .describe(
      'Bytes, where they can be told cheaply: of an array or frame, of its data; else of the object itself, without what it refers to.',
    ),
};

/** A variable in one line. */
export const variableSchema = z.strictObject(shape);
export type Variable = z.infer<typeof variableSchema>;

/** The answer of GET /v1/sessions/{id}/variables. */
export const variableListSchema = z.strictObject({
  items: z.array(variableSchema),
  continue: z.string().optional(),
});
export type VariableList = z.infer<typeof variableListSchema>;

/** One variable with a safe preview, a MIME bundle. */
export const variableDetailSchema = z.strictObject({
  ...shape,
  preview: z.strictObject({
    data: z.record(z.string(), z.unknown()),
    metadata: z.record(z.string(), z.unknown()),
  }),
});
export type VariableDetail = z.infer<typeof variableDetailSchema>;
