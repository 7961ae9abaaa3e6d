import { fileURLToPath } from 'node:url';

export { Authorities, type AuthoritiesOptions } from './certificates/authorities.ts';
export { issueAuthority, issueLeaf, type Subject } from './certificates/issue.ts';
export { LIFETIMES, type Lifetimes } from './certificates/lifetimes.ts';
export type { Authority, KeyPair } from './certificates/rotation.ts';
export { type OperatorConfig, operatorConfigSchema } from './config.ts';
export { EventRecorder, type EventRecorderOptions, type Transition } from './events.ts';
export { ELECTION_TIMES, Election, type ElectionTimes, type Ended, LeadershipLostError } from './leader/election.ts';
export { type LeaseStore, leaseStore } from './leader/lease.ts';
export { runOperator } from './operator.ts';
export { QueueMetrics } from './queue/queue-metrics.ts';
export { type RateLimit, RateLimiter } from './queue/rate-limit.ts';
export { ReconcileMetrics } from './queue/reconcile-metrics.ts';
export { WorkQueue, type WorkQueueOptions } from './queue/work-queue.ts';
export { type Reconcile, type Reconciled, runWorkers, type WorkersOptions } from './queue/workers.ts';
export { agentSelector, componentSelector, objectLabels, POOL_LABEL, REVISION_LABEL } from './specs/labels.ts';
export { agentService, disruptionBudget, networkPolicy, serviceAccount } from './specs/objects.ts';
export { objectName, type Pool } from './specs/owned.ts';
export { agentPod } from './specs/pod.ts';
export type { PodSettings } from './specs/pod-part.ts';
export { revisionOf } from './specs/revision.ts';
export { TokenBucket } from './token-bucket.ts';

/** The main file of an operator as a process of its own. */
export const operatorMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

/** Node.js options to start it with: `docs/decisions/0007-bounded-young-generation.md`. */
export const operatorNodeOptions: readonly string[] = ['--max-semi-space-size=8', '--heap-growing-percent=30'];
