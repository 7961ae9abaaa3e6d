import { randomInt } from 'node:crypto';
import {
  type ApiClient,
  classify,
  create,
  type Desired,
  type KubeObject,
  pathOf,
  resources,
  toKubeObject,
} from '@replpool/kube';
import { messageOf } from '@replpool/service';
import type { EventRecorder } from '../events.ts';
import { REVISION_LABEL } from '../specs/labels.ts';
import { agentPod } from '../specs/pod.ts';
import type { PodSettings } from '../specs/pod-part.ts';
import { refusalOf } from '../specs/refusal.ts';
import type { PoolFacts } from './conditions.ts';
import type { Expectations } from './expectations.ts';
import { isPassing } from './passing.ts';
import { toPodObject } from './pod-object.ts';
import type { PoolObject } from './pool-object.ts';
import { slowStart } from './slow-start.ts';

/** Why no pod was made. */
export type Refused = NonNullable<PoolFacts['refused']>;

export interface CreateParts {
  readonly client: ApiClient;
  readonly events: EventRecorder;
  readonly expectations: Expectations;
  readonly settings: PodSettings;
}

/** As the API server's generated names: no vowels, so no words, and a name that fits into a label. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX = 5;
const LONGEST_BASE = 57;

/**
 * Makes pods of a revision in batches that grow.
 * @returns why not all were made, where the release or the API server refuses them
 * @throws ApiError, NoAnswerError where it is not to be had
 */
export async function createPods(
  parts: CreateParts,
  key: string,
  pool: PoolObject,
  wanted: { readonly count: number; readonly revision: string },
  signal: AbortSignal,
): Promise<Refused | undefined> {
  const { count, revision } = wanted;
  const refusal = refusalOf(pool, parts.settings);
  if (refusal) return tell(parts, pool, refusal);
  const desired = agentPod(pool, revision, parts.settings) as unknown as Desired;
  const { failed } = await slowStart(count, () => createPod(parts, key, pool, desired, revision, signal));
  if (failed === undefined) return undefined;
  if (isPassing(failed)) throw failed;
  const failure = classify(failed);
  const message = messageOf(failed);
  const kind = failure === 'Quota' ? 'quota' : failure === 'Forbidden' ? 'forbidden' : 'other';
  return tell(parts, pool, { kind, message });
}

function tell({ events }: CreateParts, pool: PoolObject, refused: Refused): Refused {
  events.record(pool, { type: 'Warning', reason: 'PodNotMade', action: 'CreatePod', note: refused.message });
  return refused;
}

/**
 * The name is ours and not the API server's to make: where no answer came, or one that leaves it open, the same name is tried again, and says
 * whether the pod was made.
 */
async function createPod(
  { client, expectations }: CreateParts,
  key: string,
  pool: PoolObject,
  desired: Desired,
  revision: string,
  signal: AbortSignal,
): Promise<void> {
  const again = expectations.takeUnsure(key);
  const name = again ?? `${pool.name.slice(0, LONGEST_BASE)}-${suffix()}`;
  try {
    const pod = await create(client, resources.pods, { ...desired, metadata: { ...desired.metadata, name } }, signal);
    expectations.created(key, pod.metadata.uid, revision);
  } catch (error) {
    const failure = classify(error);
    if (failure === 'Unavailable') expectations.unsure(key, name);
    if (again === undefined || failure !== 'AlreadyExists') throw error;
    const { metadata } = toPodObject(await read(client, pool.namespace, name, signal));
    expectations.created(key, metadata.uid, metadata.labels?.[REVISION_LABEL] ?? '');
  }
}

async function read(client: ApiClient, namespace: string, name: string, signal: AbortSignal): Promise<KubeObject> {
  return toKubeObject(await client.request({ path: pathOf(resources.pods, { namespace, name }), signal }));
}

function suffix(): string {
  return Array.from({ length: SUFFIX }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}
