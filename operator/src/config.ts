import { listenSchema } from '@replpool/protocol';
import { z } from 'zod';

/** What an operator is started with. */
export const operatorConfigSchema = z.strictObject({
  namespace: z.string().min(1).describe("The release's own: its Lease, its routers."),
  instance: z.string().min(1).describe('Unique to this process, such as the name of its pod.'),
  agentImage: z.string().min(1).describe('Of pools that name none.'),
  health: listenSchema.describe('/healthz, /readyz and /metrics.'),
});
export type OperatorConfig = z.infer<typeof operatorConfigSchema>;
