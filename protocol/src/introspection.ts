import { z } from 'zod';
import { count } from './names.ts';

/** The body of POST …/complete and …/inspect; `cursor` counts code points. */
export const introspectRequestSchema = z.strictObject({ code: z.string(), cursor: count });
export type IntrospectRequest = z.infer<typeof introspectRequestSchema>;

export const completionSchema = z.strictObject({
  matches: z.array(z.string()),
  cursorStart: count,
  cursorEnd: count,
});
export type Completion = z.infer<typeof completionSchema>;

export const inspectionSchema = z.strictObject({
  found: z.boolean(),
  data: z.record(z.string(), z.unknown()).describe('A MIME bundle, empty where nothing was found.'),
});
export type Inspection = z.infer<typeof inspectionSchema>;
