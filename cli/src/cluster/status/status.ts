import { resources } from '@replpool/kube';
import { metrics } from '@replpool/protocol';
import { z } from 'zod';
import { ExitCode, wrongUse } from '../../failure.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import { podsOf } from '../component-pods.ts';
import { inParallel } from '../in-parallel.ts';
import { type SeenEvent, type SeenPod, type SeenPool, seenEvent, seenPool, timeOf } from '../objects.ts';
import { rendered } from '../output.ts';
import type { OutputFormat } from '../output-format.ts';
import { podMetrics, sumOf } from '../pod-metrics.ts';
import { agentPodViews } from './pod-view.ts';
import { type PoolDetail, poolTable, poolText } from './pool-text.ts';
import { isPoolReady, type PoolView, poolView } from './pool-view.ts';

export interface StatusOptions extends ClusterOptions {
  readonly output: OutputFormat;
  readonly exitCode: boolean;
}

const EVENTS = 10;
/** Each is a request by way of the API server. */
const PODS_ASKED = 64;
const AT_ONCE = 8;

/** `status [POOL]`: all pools as a table, or one in depth. */
export async function status(pool: string | undefined, options: StatusOptions): Promise<ExitCode> {
  if (pool !== undefined && options.allNamespaces === true) {
    throw wrongUse('a pool is one of one namespace: --all-namespaces and a name do not go together');
  }
  using cluster = Cluster.open(options, process.env);
  const shown = pool === undefined ? await showAll(cluster, options) : [await showOne(cluster, pool, options)];
  return options.exitCode && !shown.every(isPoolReady) ? ExitCode.notReady : ExitCode.ok;
}

async function showAll(cluster: Cluster, { output }: StatusOptions): Promise<PoolView[]> {
  const items = await cluster.list(resources.replPools, { namespace: cluster.scope });
  const pools = z.array(seenPool).parse(items).map(poolView);
  if (pools.length === 0 && (output === 'table' || output === 'wide')) {
    const where = cluster.scope === undefined ? 'any namespace' : `namespace ${cluster.scope}`;
    process.stderr.write(`There is no ReplPool in ${where}.\n`);
    return [];
  }
  const options = { namespaces: cluster.scope === undefined, now: Date.now() };
  process.stdout.write(rendered(output, { items: pools }, (wide) => poolTable(pools, { ...options, wide })));
  return pools;
}

async function showOne(cluster: Cluster, name: string, { output }: StatusOptions): Promise<PoolView> {
  const { namespace } = cluster;
  const pool = seenPool.parse(await cluster.get(resources.replPools, { namespace, name }));
  const pods = await podsOf(cluster, 'agent', { namespace, pool: name });
  const detail: PoolDetail = {
    pool: poolView(pool),
    pods: agentPodViews(pods, pool.status?.updatedReplicas ?? 0, await sessionsOf(cluster, pods)),
    events: await latestEvents(cluster, pool, pods),
  };
  process.stdout.write(rendered(output, detail, () => poolText(detail, Date.now())));
  return detail.pool;
}

/** Sessions by pod, as the agents' metrics say; without the right to reach them, or of a pod that does not answer, there are none. */
async function sessionsOf(cluster: Cluster, pods: readonly SeenPod[]): Promise<Map<string, number>> {
  const running = pods.filter(({ status: { phase } }) => phase === 'Running').slice(0, PODS_ASKED);
  const counts = await inParallel(AT_ONCE, running, async (pod) => {
    // What is shown beside it is worth showing without it.
    const text = await podMetrics(cluster, pod).catch(() => undefined);
    const sessions = text === undefined ? undefined : sumOf(text, metrics.sessions.name);
    return sessions === undefined ? [] : [[pod.metadata.name, sessions] as const];
  });
  return new Map(counts.flat());
}

/** Of the pool and of the pods that it has now. */
async function latestEvents(cluster: Cluster, pool: SeenPool, pods: readonly SeenPod[]): Promise<SeenEvent[]> {
  const { namespace, name } = pool.metadata;
  const of = async (fieldSelector: string) =>
    z.array(seenEvent).parse(await cluster.list(resources.events, { namespace, fieldSelector }));
  const names = new Set(pods.map(({ metadata }) => metadata.name));
  const own = await of(`regarding.kind=ReplPool,regarding.name=${name}`);
  const ofPods = (await of('regarding.kind=Pod')).filter(({ regarding }) => names.has(regarding.name));
  return [...own, ...ofPods].toSorted((a, b) => timeOf(a).localeCompare(timeOf(b))).slice(-EVENTS);
}
