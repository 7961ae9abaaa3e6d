import {
  type ApiClient,
  classify,
  create,
  FIELD_MANAGER,
  find,
  isRecord,
  type KubeObject,
  pathOf,
  remove,
  resources,
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
  const object = await find(client, resources.secrets, place, signal);
  return object && readOf(object);
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
    // Some webhook may answer 400 too, and would do so to the next one: what can be kept is not deleted for that.
    if (failure !== 'Invalid' || before === undefined || isChangeable(before.object, secret)) throw error;
    // Nothing but another one will do.
    await remove(client, resources.secrets, before.object, { signal });
    return false;
  }
}

/** What is immutable, or of another type, stays as it is. */
function isChangeable({ immutable, type }: KubeObject, secret: TlsSecret): boolean {
  return immutable !== true && type === secret.type;
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
