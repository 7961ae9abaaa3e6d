import type { ApiClient } from './api/client.ts';
import { classify } from './api/errors.ts';
import { type KubeObject, toKubeObject } from './api/object.ts';
import { apiVersionOf, pathOf, type Resource } from './api/resource.ts';

/** Who owns the fields that the operator sets. Never changed: fields of the old name would be kept for ever. */
export const FIELD_MANAGER = 'replpool-operator';

/** The fields that the operator has an opinion on. A field that it applied before and leaves out now is removed. */
export interface Desired {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    /** Refused as `Conflict` where the object is another one by now, or gone. */
    readonly uid?: string;
    /** Refused as `Conflict` where the object changed since; where it is gone it is made anew, so give the uid too. */
    readonly resourceVersion?: string;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** Server-side apply: creates or changes. Force, as controllers must: what it sets is its own to set. */
export async function apply(
  client: ApiClient,
  resource: Resource,
  desired: Desired,
  { subresource, signal }: { subresource?: 'status'; signal?: AbortSignal } = {},
): Promise<KubeObject> {
  const { name, namespace } = desired.metadata;
  const answer = await client.request({
    method: 'PATCH',
    path: pathOf(resource, { namespace, name, subresource }),
    query: { fieldManager: FIELD_MANAGER, force: true },
    // JSON is YAML.
    contentType: 'application/apply-patch+yaml',
    body: { ...desired, apiVersion: apiVersionOf(resource), kind: resource.kind },
    signal,
  });
  return toKubeObject(answer);
}

/** Creates and never changes: 409 AlreadyExists where it is there, which server-side apply cannot tell. */
export async function create(
  client: ApiClient,
  resource: Resource,
  desired: Desired,
  signal?: AbortSignal,
): Promise<KubeObject> {
  const answer = await client.request({
    method: 'POST',
    path: pathOf(resource, { namespace: desired.metadata.namespace }),
    query: { fieldManager: FIELD_MANAGER },
    body: { ...desired, apiVersion: apiVersionOf(resource), kind: resource.kind },
    signal,
  });
  return toKubeObject(answer);
}

export interface RemoveOptions {
  /** The version that was looked at: 409 if it changed since, so that nothing busy is deleted on an old view. */
  readonly unchanged?: boolean;
  readonly gracePeriodSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Deletes exactly this object, by its uid. @returns whether it was there */
export async function remove(
  client: ApiClient,
  resource: Resource,
  { metadata: { name, namespace, uid, resourceVersion } }: KubeObject,
  { unchanged = false, gracePeriodSeconds, signal }: RemoveOptions = {},
): Promise<boolean> {
  const preconditions = unchanged ? { uid, resourceVersion } : { uid };
  try {
    await client.request({
      method: 'DELETE',
      path: pathOf(resource, { namespace, name }),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions,
        gracePeriodSeconds,
        propagationPolicy: 'Background',
      },
      signal,
    });
    return true;
  } catch (error) {
    if (classify(error) === 'NotFound') return false;
    throw error;
  }
}
