import { z } from 'zod';
import { cel } from './cel.ts';

const storeSchema = cel(
  z.strictObject({
    s3: z
      .strictObject({
        bucket: z.string().min(3).max(63),
        prefix: z.string().max(512).default(''),
        region: z.string().max(64).default(''),
        endpoint: z.string().max(1024).default(''),
        credentialsSecretName: z.string().max(253).default(''),
      })
      .optional(),
    persistentVolumeClaim: z.strictObject({ claimName: z.string().min(1).max(253) }).optional(),
    emptyDir: z.strictObject({}).optional(),
  }),
  {
    rule: '[has(self.s3), has(self.persistentVolumeClaim), has(self.emptyDir)].filter(x, x).size() == 1',
    message: 'exactly one of s3, persistentVolumeClaim and emptyDir is needed',
    field: 's3',
    holds: (it) => [it.s3, it.persistentVolumeClaim, it.emptyDir].filter((store) => store !== undefined).length === 1,
  },
);

/** Without a store the agent's own folder is one, which ends with its pod. */
export const checkpointsSchema = z.strictObject({
  store: storeSchema.optional(),
  intervalSeconds: z.int().min(0).max(86_400).default(300),
  keep: z.int().min(1).max(1000).default(3),
  onDrain: z.enum(['Move', 'Checkpoint', 'Kill']).default('Move'),
});
