import { resources } from '@replpool/kube';
import { APP_LABEL, APP_NAME, COMPONENT_LABEL, type Component, POOL_LABEL } from '@replpool/protocol';
import { z } from 'zod';
import type { Cluster } from './cluster.ts';
import { type SeenPod, seenPod } from './objects.ts';

/** The pods of a part of ReplPool; the one place that knows how they are labelled. */
export async function podsOf(
  cluster: Cluster,
  component: Component,
  { namespace, pool }: { readonly namespace: string | undefined; readonly pool?: string },
): Promise<SeenPod[]> {
  const labels = {
    [APP_LABEL]: APP_NAME,
    [COMPONENT_LABEL]: component,
    ...(pool !== undefined && { [POOL_LABEL]: pool }),
  };
  const labelSelector = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  const items = await cluster.list(resources.pods, { namespace, labelSelector });
  return z.array(seenPod).parse(items);
}
