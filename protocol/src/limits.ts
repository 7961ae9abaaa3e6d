import { z } from 'zod';
import { quantitySchema } from './quantity.ts';

const seconds = z.int().min(1).max(86_400);

/** The fields of a session's limits, without defaults. */
const shape = {
  memory: quantitySchema,
  cpu: quantitySchema,
  executionSeconds: seconds,
  maxExecutionSeconds: seconds,
  snapshotMaxBytes: z.int().min(0),
  fileDescriptors: z.int().min(16).max(1_048_576),
  processes: z.int().min(1).max(4_194_304),
  disk: quantitySchema,
  outputBytes: z.int().min(1),
};

/** The limits that a session has. */
export const limitsSchema = z.strictObject(shape);
export type Limits = z.infer<typeof limitsSchema>;

/** The limits that a request or a template changes; none may exceed the pool's. */
export const limitsPatchSchema = limitsSchema.partial();
export type LimitsPatch = z.infer<typeof limitsPatchSchema>;

/** The limits of a pool, with the defaults of section 7 of the design. */
export const poolLimitsSchema = z.strictObject({
  memory: shape.memory.default('512Mi'),
  cpu: shape.cpu.default('1'),
  executionSeconds: shape.executionSeconds.default(30),
  maxExecutionSeconds: shape.maxExecutionSeconds.default(3600),
  snapshotMaxBytes: shape.snapshotMaxBytes.default(268_435_456),
  fileDescriptors: shape.fileDescriptors.default(100),
  processes: shape.processes.default(64),
  disk: shape.disk.default('1Gi'),
  outputBytes: shape.outputBytes.default(67_108_864),
});

/** The limits that hold where nothing else is said. */
export const defaultLimits: Limits = poolLimitsSchema.parse({});
