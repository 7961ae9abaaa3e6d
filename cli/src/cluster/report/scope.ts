import { resources } from '@replpool/kube';
import { z } from 'zod';
import type { Cluster } from '../cluster.ts';
import { podsOf } from '../component-pods.ts';
import { type SeenPod, type SeenPool, seenPool } from '../objects.ts';
import type { Findings } from './findings.ts';

/** What a report is about. */
export interface Scope {
  readonly pools: readonly SeenPool[];
  /** Of these pools. */
  readonly agents: readonly SeenPod[];
  /** Operators and routers. */
  readonly servers: readonly SeenPod[];
}

/** @param releaseNamespace where operator and routers are looked for; else everywhere */
export async function scopeOf(
  cluster: Cluster,
  findings: Findings,
  releaseNamespace: string | undefined,
): Promise<Scope> {
  const { scope: namespace } = cluster;
  const pools = await findings.attempt('the pools', async () =>
    z.array(seenPool).parse(await cluster.list(resources.replPools, { namespace })),
  );
  const agents = await findings.attempt('the pods of agents', () => podsOf(cluster, 'agent', { namespace }));
  const servers = await findings.attempt('the pods of operator and routers', async () => {
    const place = { namespace: releaseNamespace };
    return [...(await podsOf(cluster, 'operator', place)), ...(await podsOf(cluster, 'router', place))];
  });
  return { pools: pools ?? [], agents: agents ?? [], servers: servers ?? [] };
}

/** The namespaces of both, each once. */
export function namespacesOf({ pools, agents, servers }: Scope): string[] {
  return [...new Set([...pools, ...agents, ...servers].map(({ metadata }) => metadata.namespace))].toSorted();
}
