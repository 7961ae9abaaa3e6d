import { type ApiClient, apply, remove, resources } from '@replpool/kube';
import { DRAIN_UNTIL_ANNOTATION } from '@replpool/protocol';
import type { Logger } from 'pino';
import type { Agents } from '../agents/agents.ts';
import type { EventRecorder } from '../events.ts';
import type { Expectations } from './expectations.ts';
import type { PodObject } from './pod-object.ts';
import type { PoolObject } from './pool-object.ts';

export interface RetireParts {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly agents: Agents;
  readonly expectations: Expectations;
}

/** Deletes exactly this pod; its agent drains within the pod's grace. */
export async function deletePod(
  { client, events, expectations }: RetireParts,
  key: string,
  pool: PoolObject,
  pod: PodObject,
  why: string,
  signal: AbortSignal,
): Promise<void> {
  const { name, uid } = pod.metadata;
  await remove(client, resources.pods, pod, { signal });
  expectations.deleted(key, uid);
  const note = `deleted pod ${name}, which was ${why}`;
  events.record(pool, { type: 'Normal', reason: 'PodDeleted', action: 'DeletePod', note, related: pod });
}

/** From now on the pod admits no new session; it is deleted when it is empty, or when the pool's `drainSeconds` are over. */
export async function drainPod(
  parts: RetireParts,
  key: string,
  pool: PoolObject,
  pod: PodObject,
  signal: AbortSignal,
): Promise<void> {
  const { client, events, expectations } = parts;
  const { name, namespace, uid } = pod.metadata;
  // First the agent, for from then on nobody new depends on it; the annotation remembers it for a later operator.
  await tellToDrain(parts, pod, signal);
  const until = Date.now() + pool.spec.update.drainSeconds * 1000;
  const annotations = { [DRAIN_UNTIL_ANNOTATION]: new Date(until).toISOString() };
  await apply(client, resources.pods, { metadata: { name, namespace, uid, annotations } }, { signal });
  expectations.drained(key, uid, until);
  const note = `pod ${name} takes no new sessions`;
  events.record(pool, { type: 'Normal', reason: 'PodDrained', action: 'DrainPod', note, related: pod });
}

/**
 * One that is not heard holds up nobody else: it is told when it is heard again, for as long as it says that it does not drain, and its
 * deadline counts.
 */
export async function tellToDrain({ agents, log }: RetireParts, pod: PodObject, signal: AbortSignal): Promise<void> {
  const { name, uid } = pod.metadata;
  if (agents.loadOf(uid)?.draining !== false) return;
  await agents
    .drain(uid, signal)
    .catch((err: unknown) => log.warn({ err, pod: name }, 'an agent could not be told to drain'));
}
