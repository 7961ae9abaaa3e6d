import { isRecord } from '@replpool/kube';
import { MASK } from './mask.ts';

/** Annotations whose values are ours, Helm's or Kubernetes', and say something; `last-applied-configuration` is a whole object and not among them. */
const tellingAnnotation =
  /^(replpool\.dev\/.+|(meta\.)?helm\.sh\/.+|deployment\.kubernetes\.io\/revision|kubectl\.kubernetes\.io\/(default-container|restartedAt)|endpoints\.kubernetes\.io\/last-change-trigger-time)$/;
const secretName =
  /(token|secret|passw(or)?d|passphrase|api_?key|access_?key|private_?key|credentials?|authorization|sha256)$/i;

/**
 * An object of the API server without what may be secret: values of variables and headers, code, values of annotations that are not known to
 * be harmless, fields that are named like a secret, values of ConfigMaps but for the JSON of ours. Names stay, so that it can be seen what is
 * set.
 * @param mask what is done to all other text
 */
export function redacted(object: unknown, mask: (text: string) => string): unknown {
  if (isRecord(object) && object.kind === 'ConfigMap') {
    const { data, binaryData, ...rest } = object;
    return {
      ...recordWithout(rest, mask),
      ...(isRecord(data) && { data: mapValues(data, (value) => configValue(value, mask)) }),
      ...(isRecord(binaryData) && { binaryData: mapValues(binaryData, () => MASK) }),
    };
  }
  return valueWithout('', object, mask);
}

/** Files of ours are JSON, with a pool's whole spec; what else is in a ConfigMap is not known. */
function configValue(value: unknown, mask: (text: string) => string): unknown {
  try {
    const parsed: unknown = JSON.parse(String(value));
    return isRecord(parsed) ? valueWithout('', parsed, mask) : MASK;
  } catch {
    return MASK;
  }
}

function valueWithout(key: string, value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') {
    if (value === '') return value;
    if (key === 'warmupCode') return `${MASK} (${value.length} characters)`;
    return secretName.test(key) ? MASK : mask(value);
  }
  if (Array.isArray(value)) return value.map((item) => valueWithout(key, item, mask));
  return isRecord(value) ? recordWithout(value, mask) : value;
}

function recordWithout(record: Record<string, unknown>, mask: (text: string) => string): Record<string, unknown> {
  // A variable of the environment, a header of a probe.
  const isNamedValue = typeof record.name === 'string' && typeof record.value === 'string';
  const entries = Object.entries(record).flatMap(([key, value]): [string, unknown][] => {
    // Who set which field, with every key of it a second time.
    if (key === 'managedFields') return [];
    if (key === 'annotations' && isRecord(value)) return [[key, annotationsWithout(value, mask)]];
    if (key === 'value' && isNamedValue) return [[key, MASK]];
    return [[key, valueWithout(key, value, mask)]];
  });
  return Object.fromEntries(entries);
}

function annotationsWithout(annotations: Record<string, unknown>, mask: (text: string) => string): unknown {
  return Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [
      name,
      tellingAnnotation.test(name) ? mask(String(value)) : MASK,
    ]),
  );
}

function mapValues(record: Record<string, unknown>, map: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
