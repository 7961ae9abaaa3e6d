import { type ApiClient, classify, create, type Desired, resources } from '@replpool/kube';
import type { EventRecorder } from '../events.ts';
import { agentPod, type PodSettings } from '../specs/pod.ts';
import type { PoolFacts } from './conditions.ts';
import type { Expectations } from './expectations.ts';
import type { PoolObject } from './pool-object.ts';
import { slowStart } from './slow-start.ts';

/** Why the API server made no pod. */
export type Refused = NonNullable<PoolFacts['refused']>;

export interface CreateParts {
  readonly client: ApiClient;
  readonly events: EventRecorder;
  readonly expectations: Expectations;
  readonly settings: PodSettings;
}

/** Makes pods of a revision in batches that grow. @returns why not all were made, where that is so */
export async function createPods(
  { client, events, expectations, settings }: CreateParts,
  key: string,
  pool: PoolObject,
  wanted: { readonly count: number; readonly revision: string },
  signal: AbortSignal,
): Promise<Refused | undefined> {
  const { count, revision } = wanted;
  const desired = agentPod(pool, revision, settings) as unknown as Desired;
  const { failed } = await slowStart(count, async () => {
    const pod = await create(client, resources.pods, desired, signal);
    expectations.created(key, pod.metadata.uid, revision);
  });
  if (failed === undefined) return undefined;
  const failure = classify(failed);
  const message = failed instanceof Error ? failed.message : String(failed);
  events.record(pool, { type: 'Warning', reason: 'PodNotMade', action: 'CreatePod', note: message });
  return { kind: failure === 'Quota' ? 'quota' : failure === 'Forbidden' ? 'forbidden' : 'other', message };
}
