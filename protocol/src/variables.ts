import { z } from 'zod';
import { count } from './names.ts';

/** The names that one execution added to, changed in and deleted from the namespace. */
export const variableChangesSchema = z.strictObject({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  deleted: z.array(z.string()),
});
export type VariableChanges = z.infer<typeof variableChangesSchema>;

const shape = {
  name: z.string(),
  type: z.string(),
  summary: z.string(),
  size: count.optional().describe('Bytes, where they can be told cheaply.'),
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
