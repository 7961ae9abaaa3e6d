import { type ApiClient, apply, classify, remove, resources } from '@replpool/kube';
import { DRAIN_UNTIL_ANNOTATION } from '@replpool/protocol';
import type { Agents } from '../agents/agents.ts';
import type { EventRecorder } from '../events.ts';
import type { Expectations } from './expectations.ts';
import type { PodObject } from './pod-object.ts';
import type { PodView } from './pod-view.ts';
import type { PoolObject } from './pool-object.ts';

export interface RetireParts {
  readonly client: ApiClient;
  readonly events: EventRecorder;
  readonly agents: Pick<Agents, 'loadOf' | 'drain'>;
  readonly expectations: Expectations;
  /** Milliseconds since the epoch: deadlines are read by others, and by a later operator. */
  readonly wallClock: () => number;
}

/**
 * Deletes exactly this pod; its agent drains within the pod's grace.
 * @param phase in which it was when it was looked at
 */
export async function deletePod(
  { client, events, expectations }: RetireParts,
  key: string,
  pool: PoolObject,
  pod: PodObject,
  phase: PodView['phase'],
  signal: AbortSignal,
): Promise<void> {
  const { name, uid } = pod.metadata;
  try {
    // By now a pending one may be ready and have sessions.
    await remove(client, resources.pods, pod, { unchanged: phase === 'pending', signal });
  } catch (error) {
    if (classify(error) !== 'Conflict') throw error;
    // Its change comes by the watch, and with it the next look.
    return;
  }
  expectations.deleted(key, uid);
  const note = `deleted pod ${name}, which was ${phase}`;
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
  const { client, events, expectations, wallClock } = parts;
  const { name, namespace, uid } = pod.metadata;
  const until = wallClock() + pool.spec.update.drainSeconds * 1000;
  const annotations = { [DRAIN_UNTIL_ANNOTATION]: new Date(until).toISOString() };
  await apply(client, resources.pods, { metadata: { name, namespace, uid, annotations } }, { signal });
  expectations.drained(key, uid, until);
  // Not before it is written down: an agent that was told alone would admit nobody for ever, and no later operator would know of it.
  tellToDrain(parts, pod);
  const note = `pod ${name} takes no new sessions`;
  events.record(pool, { type: 'Normal', reason: 'PodDrained', action: 'DrainPod', note, related: pod });
}

/**
 * One that is not heard holds up nobody else: it is told when it is heard again, for as long as it says that it does not drain, and its
 * deadline counts.
 */
export function tellToDrain({ agents }: Pick<RetireParts, 'agents'>, { metadata: { uid } }: PodObject): void {
  if (agents.loadOf(uid)?.draining === false) agents.drain(uid);
}
