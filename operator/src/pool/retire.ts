import { type ApiClient, apply, remove, resources } from '@replpool/kube';
import type { Logger } from 'pino';
import type { Agents } from '../agents/agents.ts';
import type { EventRecorder } from '../events.ts';
import type { Expectations } from './expectations.ts';
import { DRAIN_UNTIL_ANNOTATION } from './observe.ts';
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
  pool: PoolObject,
  pod: PodObject,
  signal: AbortSignal,
): Promise<void> {
  const { client, events } = parts;
  const { name, namespace, uid } = pod.metadata;
  // First the agent, for from then on nobody new depends on it; the annotation remembers it for a later operator.
  await tellToDrain(parts, pod);
  const until = new Date(Date.now() + pool.spec.update.drainSeconds * 1000).toISOString();
  const metadata = { name, namespace, uid, annotations: { [DRAIN_UNTIL_ANNOTATION]: until } };
  await apply(client, resources.pods, { metadata }, { signal });
  const note = `pod ${name} takes no new sessions`;
  events.record(pool, { type: 'Normal', reason: 'PodDrained', action: 'DrainPod', note, related: pod });
}

/** An agent that cannot be told holds up nobody else: it is told again as long as it says that it does not drain, and its deadline counts. */
export async function tellToDrain({ agents, log }: RetireParts, pod: PodObject): Promise<void> {
  const { name, uid } = pod.metadata;
  if (agents.isDraining(uid)) return;
  await agents.drain(uid).catch((err: unknown) => log.warn({ err, pod: name }, 'an agent could not be told to drain'));
}
