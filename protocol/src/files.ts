import { z } from 'zod';
import { count, timestamp } from './names.ts';

/** An entry of a session's working folder. */
export const fileSchema = z.strictObject({
  path: z.string().describe('Relative to the working folder, with "/" between its parts.'),
  size: count,
  modifiedAt: timestamp,
  type: z.enum(['file', 'directory', 'symlink', 'other']),
});
export type FileEntry = z.infer<typeof fileSchema>;

export const fileListSchema = z.strictObject({
  items: z.array(fileSchema),
  continue: z.string().optional(),
});
export type FileList = z.infer<typeof fileListSchema>;
