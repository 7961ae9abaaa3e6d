import { z } from 'zod';
import { executeRequestSchema } from './execution.ts';
import { createSessionSchema } from './session.ts';

const { pool, template, env, limits } = createSessionSchema.shape;
const { code, timeoutSeconds, stdin } = executeRequestSchema.shape;

/** The body of POST /v1/run: a session for one execution. */
export const runRequestSchema = z.strictObject({ pool, template, env, limits, code, timeoutSeconds, stdin });
export type RunRequest = z.infer<typeof runRequestSchema>;
