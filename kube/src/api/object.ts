/** The part of every object's metadata that the operator relies on, as JSON: times are strings. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly [key: string]: unknown;
}

/** An object as the API server sends it, known no further than this. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [key: string]: unknown;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws {TypeError} where it is no object with a name, a uid and a version */
export function toKubeObject(value: unknown): KubeObject {
  const metadata = isRecord(value) ? value.metadata : undefined;
  if (isRecord(value) && isRecord(metadata)) {
    const { name, namespace, uid, resourceVersion } = metadata;
    const strings = [name, uid, resourceVersion].every((it) => typeof it === 'string' && it !== '');
    if (strings && (namespace === undefined || typeof namespace === 'string')) return value as unknown as KubeObject;
  }
  throw new TypeError('the API server sent something without metadata.name, uid and resourceVersion');
}

/** `namespace/name`, or the name alone of what has no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
