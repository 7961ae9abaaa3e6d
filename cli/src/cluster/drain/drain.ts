import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, classify, resources } from '@replpool/kube';
import { DRAIN_UNTIL_ANNOTATION, metrics } from '@replpool/protocol';
import { CommandFailure, ExitCode } from '../../failure.ts';
import { endSignal } from '../../signals.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import { type SeenPod, seenPod, seenPool } from '../objects.ts';
import { podMetrics, sumOf } from '../pod-metrics.ts';
import { type DrainOrder, drainOrder, poolOf } from './drain-order.ts';

export interface DrainOptions extends ClusterOptions {
  readonly timeout?: number;
  readonly wait: boolean;
}

const LOOK_MS = 1_000;

/** `drain POD`: the operator is told by an annotation that the pod's agent is to take no new sessions, and replaces it. */
export async function drain(name: string, options: DrainOptions): Promise<ExitCode> {
  using cluster = Cluster.open(options, process.env);
  const { namespace } = cluster;
  const pod = seenPod.parse(await cluster.get(resources.pods, { namespace, name }));
  const pool = seenPool.parse(await cluster.get(resources.replPools, { namespace, name: poolOf(pod) }));
  const order = drainOrder(pod, pool, options.timeout, Date.now());
  if (order.kind === 'drain') {
    // Of this very pod: its uid fails where another has the name by now.
    const metadata = { uid: pod.metadata.uid, annotations: { [DRAIN_UNTIL_ANNOTATION]: order.until } };
    await cluster.mergePatch(resources.pods, { namespace, name }, { metadata });
  }
  process.stdout.write(`pod/${name} ${said(order)}\n`);
  return options.wait ? await untilGone(cluster, pod) : ExitCode.ok;
}

function said(order: DrainOrder): string {
  switch (order.kind) {
    case 'terminates':
      return 'terminates already';
    case 'drains already':
      return `drains already, until ${order.until} at the latest`;
    case 'drain':
      return `drains: it is deleted when its last session is gone, or at ${order.until}${order.instead === undefined ? '' : ` (before: ${order.instead})`}`;
  }
}

/** Says what changes until the pod is gone. */
async function untilGone(cluster: Cluster, { metadata: { namespace, name, uid } }: SeenPod): Promise<ExitCode> {
  using end = endSignal();
  let last = '';
  while (!end.signal.aborted) {
    const pod = await podOrGone(cluster, namespace, name);
    if (pod === undefined || pod.metadata.uid !== uid) {
      process.stdout.write(`pod/${name} is gone\n`);
      return ExitCode.ok;
    }
    const now = await progress(cluster, pod);
    if (now !== last) process.stdout.write(`pod/${name} ${now}\n`);
    last = now;
    // Aborted, the loop ends by itself.
    await sleep(LOOK_MS, undefined, { signal: end.signal }).catch(() => undefined);
  }
  return ExitCode.interrupted;
}

async function podOrGone(cluster: Cluster, namespace: string, name: string): Promise<SeenPod | undefined> {
  try {
    return seenPod.parse(await cluster.get(resources.pods, { namespace, name }));
  } catch (error) {
    const cause = error instanceof CommandFailure ? error.cause : undefined;
    if (cause instanceof ApiError && classify(cause) === 'NotFound') return undefined;
    throw error;
  }
}

async function progress(cluster: Cluster, pod: SeenPod): Promise<string> {
  // The number of its sessions is a kindness: without the right to ask, or when the agent ends, there is none.
  const text = await podMetrics(cluster, pod).catch(() => undefined);
  const count = text === undefined ? undefined : sumOf(text, metrics.sessions.name);
  const sessions = count === undefined ? '' : `, ${count} ${count === 1 ? 'session' : 'sessions'}`;
  return `${pod.metadata.deletionTimestamp === undefined ? 'drains' : 'terminates'}${sessions}`;
}
