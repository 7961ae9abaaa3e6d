import type { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, Collection, keyOf, resources, systemClock, WatchMetrics } from '@replpool/kube';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Agents } from './agents/agents.ts';
import { Tokens } from './agents/tokens.ts';
import type { OperatorConfig } from './config.ts';
import { EventRecorder } from './events.ts';
import { Election } from './leader/election.ts';
import { leaseStore } from './leader/lease.ts';
import { Expectations } from './pool/expectations.ts';
import { OwnObjects } from './pool/own-objects.ts';
import { type PodObject, toPodObject } from './pool/pod-object.ts';
import { PodsByPool } from './pool/pods.ts';
import { type PoolObject, toPoolObject } from './pool/pool-object.ts';
import { isOwnedBy, Reconciler } from './pool/reconcile.ts';
import { QueueMetrics } from './queue/queue-metrics.ts';
import { WorkQueue } from './queue/work-queue.ts';
import { runWorkers } from './queue/workers.ts';
import { POOL_LABEL } from './specs/labels.ts';

/** Pools that are worked on at once. */
const WORKERS = 4;
/** All pools are looked at anew so often, whatever was missed. */
const RESYNC_MS = 600_000;
/** Changed counters are looked at after so long, together with all that came meanwhile. */
const LOAD_MS = 1_000;
const LEASE = 'replpool-operator';

/**
 * Reconciles all pools of the cluster while it leads, until the signal aborts.
 * @returns once all that was begun has ended
 */
export async function runOperator(
  kubeConfig: KubeConfig,
  config: OperatorConfig,
  log: Logger,
  registry: Registry,
  signal: AbortSignal,
): Promise<void> {
  using client = new ApiClient(kubeConfig);
  const store = leaseStore(client, config.namespace, LEASE);
  const election = new Election({ store, me: config.instance, log });
  const queueMetrics = new QueueMetrics(registry);
  const watchMetrics = new WatchMetrics(registry, systemClock);
  while (!signal.aborted) {
    await election.lead(signal, (leading) =>
      reconcileAll({ client, config, log, queueMetrics, watchMetrics }, leading),
    );
  }
}

async function reconcileAll(
  parts: {
    client: ApiClient;
    config: OperatorConfig;
    log: Logger;
    queueMetrics: QueueMetrics;
    watchMetrics: WatchMetrics;
  },
  signal: AbortSignal,
): Promise<void> {
  const { client, config, log, queueMetrics, watchMetrics } = parts;
  const queue = new WorkQueue({ name: 'replpools', metrics: queueMetrics });
  await using events = new EventRecorder({ client, log, instance: config.instance });
  const add = (object: PoolObject) => queue.add(keyOf(object));
  const pools = new Collection<PoolObject>({
    ...{ client, resource: resources.replPools, parse: toPoolObject, metrics: watchMetrics, log, resyncMs: RESYNC_MS },
    handlers: { added: add, changed: (_before, now) => add(now), deleted: add },
  });
  const byPool = new PodsByPool();
  using agents = new Agents(log, (uid) => {
    const key = byPool.poolOf(uid);
    // Counters change all the time; a status is fresh within seconds all the same.
    if (key !== undefined) queue.addAfter(key, LOAD_MS);
  });
  const pods = new Collection<PodObject>({
    ...{ client, resource: resources.pods, labelSelector: POOL_LABEL, parse: toPodObject, metrics: watchMetrics, log },
    handlers: {
      added: (pod) => queue.add(byPool.put(pod)),
      changed: (_before, now) => queue.add(byPool.put(now)),
      deleted: (pod) => {
        agents.forget(pod.metadata.uid);
        queue.add(byPool.remove(pod));
      },
    },
  });
  const reconciler = new Reconciler({
    ...{ client, log, events, expectations: new Expectations(systemClock) },
    settings: { agentImage: config.agentImage },
    ownObjects: new OwnObjects(client, systemClock, config.namespace),
    pool: (key) => pools.get(key),
    podsOf: (pool) => byPool.of(keyOf(pool)).filter((pod) => isOwnedBy(pod, pool)),
    agents,
    tokens: new Tokens(client),
  });
  const watches = Promise.all([pools.run(signal), pods.run(signal)]);
  // Not before all pods are known, or they would be made a second time.
  await Promise.all([pools.synced, pods.synced]);
  const reconcile = (key: string, each: AbortSignal) => reconciler.reconcile(key, each);
  await runWorkers({ queue, workers: WORKERS, reconcile, log, signal });
  await watches;
}
