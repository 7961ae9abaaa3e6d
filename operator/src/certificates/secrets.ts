import {
  type ApiClient,
  classify,
  create,
  FIELD_MANAGER,
  isRecord,
  type KubeObject,
  pathOf,
  remove,
  resources,
  toKubeObject,
} from '@replpool/kube';
import type { TlsSecret } from '../specs/tls-secrets.ts';

/** What a Secret holds, decoded. */
export type SecretData = Readonly<Record<string, string>>;

/** A Secret as it was read. */
export interface ReadSecret {
  readonly object: KubeObject;
  readonly data: SecretData;
}

/** By its name, never by a list. @throws ApiError, NoAnswerError */
export async function readSecret(
  client: ApiClient,
  place: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<ReadSecret | undefined> {
  const path = pathOf(resources.secrets, place);
  const answer = await client.request({ path, signal }).catch((error: unknown) => {
    if (classify(error) === 'NotFound') return undefined;
    throw error;
  });
  return answer === undefined ? undefined : readOf(toKubeObject(answer));
}

/**
 * Writes a Secret as it is wanted, unless somebody else wrote since it was read.
 * @param before as it was read; undefined where there was none
 * @returns false where somebody else came first: read it again
 * @throws ApiError, NoAnswerError
 */
export async function writeSecret(
  client: ApiClient,
  before: ReadSecret | undefined,
  secret: TlsSecret,
  data: SecretData,
  signal: AbortSignal,
): Promise<boolean> {
  const desired = { ...secret, data: encoded(data) };
  try {
    if (before === undefined) await create(client, resources.secrets, desired, signal);
    else await update(client, before.object, desired, signal);
    return true;
  } catch (error) {
    const failure = classify(error);
    if (failure === 'AlreadyExists' || failure === 'Conflict' || failure === 'NotFound') return false;
    if (failure !== 'Invalid' || before === undefined) throw error;
    // Of another type, or immutable: nothing but another one will do.
    await remove(client, resources.secrets, before.object, { signal });
    return false;
  }
}

async function update(
  client: ApiClient,
  { metadata }: KubeObject,
  desired: TlsSecret & { data: SecretData },
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion, annotations, labels } = metadata;
  const kept = {
    uid,
    resourceVersion,
    annotations,
    labels: { ...(isRecord(labels) && labels), ...desired.metadata.labels },
  };
  await client.request({
    method: 'PUT',
    path: pathOf(resources.secrets, desired.metadata),
    query: { fieldManager: FIELD_MANAGER },
    body: { ...desired, metadata: { ...desired.metadata, ...kept } },
    signal,
  });
}

function readOf(object: KubeObject): ReadSecret {
  const data = isRecord(object.data) ? object.data : {};
  const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString()]);
  return { object, data: Object.fromEntries(decoded) as SecretData };
}

function encoded(data: SecretData): SecretData {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
}
