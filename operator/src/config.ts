import { isolationSpecSchema, listenSchema } from '@replpool/protocol';
import { z } from 'zod';

/** What an operator is started with. */
export const operatorConfigSchema = z
  .strictObject({
    namespace: z.string().min(1).describe("The release's own: its Lease, its routers, its CA."),
    release: z.string().min(1).describe('What the names of its own objects begin with.'),
    instance: z
      .string()
      .min(1)
      .optional()
      .describe("The name of this process's pod, by --pod, for replicas share one file; else the name of the host."),
    agentImage: z.string().min(1).describe('Of pools that name none.'),
    watchNamespace: z
      .string()
      .min(1)
      .optional()
      .describe('Only pools of this namespace are served; else those of all.'),
    cgroups: isolationSpecSchema.shape.cgroups
      .unwrap()
      // No agent could start.
      .exclude(['Runtime'])
      .optional()
      .describe('What isolation.cgroups means where a pool leaves it out.'),
    allowPrivileged: z
      .boolean()
      .default(false)
      .describe(
        'Whether a pool may ask for isolation.cgroups: Privileged, by which who writes ReplPools has the nodes. Never with an image of its own.',
      ),
    health: listenSchema.describe('/healthz, /readyz and /metrics.'),
  })
  .refine(({ cgroups, allowPrivileged }) => cgroups !== 'Privileged' || allowPrivileged, {
    path: ['cgroups'],
    message: 'Privileged for every pool needs allowPrivileged',
  });
export type OperatorConfig = z.output<typeof operatorConfigSchema>;
