import type { ApiClient } from './client.ts';
import { classify } from './errors.ts';
import { type KubeObject, toKubeObject } from './object.ts';
import { pathOf, type Resource } from './resource.ts';

/** One object by its name; undefined where there is none. @throws ApiError, NoAnswerError */
export async function find(
  client: ApiClient,
  resource: Resource,
  { namespace, name }: { readonly namespace?: string; readonly name: string },
  signal?: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    return toKubeObject(await client.request({ path: pathOf(resource, { namespace, name }), signal }));
  } catch (error) {
    if (classify(error) === 'NotFound') return undefined;
    throw error;
  }
}
