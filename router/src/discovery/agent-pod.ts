import type { KubeObject } from '@replpool/kube';
import {
  AGENT_CONTAINER,
  type AgentEndpoint,
  agentEndpointSchema,
  agentUrl,
  POOL_LABEL,
  REVISION_LABEL,
} from '@replpool/protocol';
import { z } from 'zod';

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    labels: z.object({ [POOL_LABEL]: z.string(), [REVISION_LABEL]: z.string().optional() }),
    creationTimestamp: z.string().optional(),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      containerStatuses: z
        .array(z.object({ name: z.string(), state: z.object({ running: z.object({}).optional() }).optional() }))
        .optional(),
    })
    .default({}),
});

/** What of a pod routers keep. */
export interface AgentPod extends KubeObject {
  /** Undefined while no agent can be there. */
  readonly endpoint: AgentEndpoint | undefined;
}

/** @throws ZodError where it is no pod of a pool */
export function toAgentPod({ metadata, ...object }: KubeObject): AgentPod {
  const { name, namespace, uid, resourceVersion } = metadata;
  const kept = { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) };
  return { metadata: kept, endpoint: endpointOf({ ...object, metadata }) };
}

/**
 * An agent may be there from the moment that its container runs, also while its pod terminates, until the container has ended. What comes before
 * (images, init containers, a crash loop's pause) may take minutes, in which no session can be there to be waited for.
 */
function endpointOf(object: KubeObject): AgentEndpoint | undefined {
  const { metadata, status } = podSchema.parse(object);
  const { phase, podIP, containerStatuses = [] } = status;
  const agent = containerStatuses.find(({ name }) => name === AGENT_CONTAINER);
  const hasEnded = phase === 'Failed' || phase === 'Succeeded';
  if (podIP === undefined || podIP === '' || hasEnded || agent?.state?.running === undefined) return undefined;
  const { name: pod, namespace, labels, creationTimestamp: createdAt } = metadata;
  return agentEndpointSchema.parse({
    ...{ pod, createdAt, pool: `${namespace}:${labels[POOL_LABEL]}`, revision: labels[REVISION_LABEL] },
    url: agentUrl(podIP),
  });
}
