import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, Collection, keyOf, RequestMetrics, resources, systemClock, WatchMetrics } from '@replpool/kube';
import { type Backoff, observeExpiry } from '@replpool/service';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Agents } from './agents/agents.ts';
import { Certificates } from './certificates/certificates.ts';
import { LIFETIMES, type Lifetimes } from './certificates/lifetimes.ts';
import type { OperatorConfig } from './config.ts';
import { EventRecorder } from './events.ts';
import { Election } from './leader/election.ts';
import { leaderClient } from './leader/leader-client.ts';
import { observeLeadership } from './leader/leader-metrics.ts';
import { leaseStore } from './leader/lease.ts';
import { withDefaults } from './pool/defaults.ts';
import { Expectations } from './pool/expectations.ts';
import { OwnObjects } from './pool/own-objects.ts';
import { type PodObject, toPodObject } from './pool/pod-object.ts';
import { PodsByPool } from './pool/pods.ts';
import { PoolMetrics } from './pool/pool-metrics.ts';
import { type PoolObject, toPoolObject } from './pool/pool-object.ts';
import { Reconciler } from './pool/reconcile.ts';
import { QueueMetrics } from './queue/queue-metrics.ts';
import { ReconcileMetrics } from './queue/reconcile-metrics.ts';
import { WorkQueue } from './queue/work-queue.ts';
import { runWorkers } from './queue/workers.ts';
import { POOL_LABEL } from './specs/labels.ts';
import { isOwnedBy } from './specs/owned.ts';

/** Pools that are worked on at once. */
const WORKERS = 4;
/** All pools are looked at anew so often, whatever was missed. */
const RESYNC_MS = 600_000;
/** Changed counters are looked at after so long, together with all that came meanwhile. */
const LOAD_MS = 1_000;

/** A quota that was raised tells nobody, so the longest pause is shorter than client-go's 1,000 s. */
const RETRY: Backoff = { firstMs: 100, longestMs: 60_000, jitter: 0.2 };
const CONTROLLER = 'replpools';

interface OperatorParts {
  readonly client: ApiClient;
  readonly config: OperatorConfig;
  readonly instance: string;
  readonly log: Logger;
  readonly lifetimes: Lifetimes;
  readonly queueMetrics: QueueMetrics;
  readonly reconcileMetrics: ReconcileMetrics;
  readonly watchMetrics: WatchMetrics;
  readonly poolMetrics: PoolMetrics;
  readonly registry: Registry;
}

/**
 * Reconciles all pools of the cluster, or of one namespace, while it leads, until the signal aborts.
 * @param lifetimes of the certificates that it issues
 * @returns once all that was begun has ended
 */
export async function runOperator(
  kubeConfig: KubeConfig,
  config: OperatorConfig,
  log: Logger,
  registry: Registry,
  signal: AbortSignal,
  lifetimes: Lifetimes = LIFETIMES,
): Promise<void> {
  const metrics = new RequestMetrics(registry);
  const userAgent = 'replpool-operator';
  // A client of its own: the Lease is written by who does not lead yet, and waits for no other call's connection.
  using electing = new ApiClient(kubeConfig, { userAgent, metrics });
  const lease = `${config.release}-operator`;
  const instance = config.instance ?? hostname();
  const store = leaseStore(electing, config.namespace, lease);
  // A container that starts again has its pod's name still, and must not take the Lease of the one before for its own.
  const election = new Election({ store, me: `${instance}_${randomUUID()}`, log });
  const isLeading = (): boolean => election.leading;
  observeLeadership(registry, lease, isLeading);
  using client = leaderClient(kubeConfig, { userAgent, metrics, isLeading });
  const parts: OperatorParts = {
    ...{ client, config, instance, log, lifetimes, registry },
    queueMetrics: new QueueMetrics(registry),
    reconcileMetrics: new ReconcileMetrics(registry),
    watchMetrics: new WatchMetrics(registry, systemClock),
    poolMetrics: new PoolMetrics(registry),
  };
  while (!signal.aborted) await election.lead(signal, (leading) => reconcileAll(parts, leading));
}

async function reconcileAll(parts: OperatorParts, signal: AbortSignal): Promise<void> {
  const {
    client,
    config,
    instance,
    log,
    lifetimes,
    queueMetrics,
    reconcileMetrics,
    watchMetrics,
    poolMetrics,
    registry,
  } = parts;
  const { agentImage, allowPrivileged, cgroups, watchNamespace: namespace } = config;
  using queue = new WorkQueue({ name: CONTROLLER, metrics: queueMetrics, rateLimit: { perKey: RETRY } });
  await using events = new EventRecorder({ client, log, instance });
  const watched = { client, metrics: watchMetrics, log, ...(namespace !== undefined && { namespace }) };
  const add = (object: PoolObject) => queue.add(keyOf(object));
  const pools = new Collection<PoolObject>({
    ...{ ...watched, resource: resources.replPools, parse: toPoolObject, resyncMs: RESYNC_MS },
    handlers: { added: add, changed: (_before, now) => add(now), deleted: add },
  });
  using _told = poolMetrics.observe(() => pools.values());
  const byPool = new PodsByPool();
  const expectations = new Expectations(systemClock);
  const certificates = new Certificates({
    ...{ client, log, clock: systemClock, lifetimes, namespace: config.namespace, release: config.release },
    pools: () => [...pools.values()].filter(({ deleting }) => !deleting),
  });
  using _expiries = observeExpiry(registry, () => certificates.expiries());
  const changed = (uid: string): void => {
    const key = byPool.poolOf(uid);
    // Counters change all the time; a status is fresh within seconds all the same.
    if (key !== undefined) queue.addAfter(key, LOAD_MS);
  };
  using agents = new Agents({ log, tls: certificates, changed });
  const pods = new Collection<PodObject>({
    ...{ ...watched, resource: resources.pods, labelSelector: POOL_LABEL, parse: toPodObject },
    handlers: {
      added: (pod) => queue.add(byPool.put(pod)),
      changed: (before, now) => {
        // Its label may name another pool now: both have to look.
        for (const pool of [byPool.remove(before), byPool.put(now)]) queue.add(pool);
      },
      deleted: (pod) => {
        const { uid } = pod.metadata;
        agents.forget(uid);
        const pool = byPool.remove(pod);
        expectations.gone(pool, uid);
        queue.add(pool);
      },
    },
  });
  const reconciler = new Reconciler({
    ...{ client, log, events, clock: systemClock, wallClock: Date.now, expectations },
    settings: { agentImage, allowPrivileged, release: config },
    ownObjects: new OwnObjects(client, systemClock, config.namespace, certificates),
    pool: (key) => {
      const pool = pools.get(key);
      return pool && withDefaults(pool, { cgroups });
    },
    podsOf: (pool) => byPool.of(keyOf(pool)).filter((pod) => isOwnedBy(pod, pool.uid)),
    agents,
  });
  await using watching = runUntilDisposed([pools, pods], signal);
  // Not before all pods are known, or they would be made a second time.
  await watching.synced;
  await using keeping = runUntilDisposed([certificates], signal);
  await keeping.synced;
  const reconcile = (key: string, each: AbortSignal) => reconciler.reconcile(key, each);
  await runWorkers({ queue, workers: WORKERS, reconcile, metrics: reconcileMetrics, log, signal });
}

/** Runs them until the end of the scope, however it comes. */
function runUntilDisposed(
  them: readonly Pick<Collection<PoolObject>, 'run' | 'synced'>[],
  signal: AbortSignal,
): AsyncDisposable & { readonly synced: Promise<unknown> } {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const runs = them.map((each) => each.run(until));
  return {
    synced: Promise.all(them.map((each) => each.synced)),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(runs);
    },
  };
}
