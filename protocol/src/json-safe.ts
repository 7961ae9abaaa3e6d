/**
 * A decoded msgpack value as JSON can carry it: binary becomes base64, an integer beyond 2^53 keeps all its digits. What needs no change is
 * returned as it is.
 */
export function jsonSafe(value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value));
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  }
  if (Array.isArray(value)) return safeList(value);
  let changed = false;
  const entries = Object.entries(value).map(([key, each]): [string, unknown] => {
    const safe = jsonSafe(each);
    changed ||= !Object.is(safe, each);
    return [key, safe];
  });
  return changed ? Object.fromEntries(entries) : value;
}

function safeList(list: readonly unknown[]): readonly unknown[] {
  const safe = list.map(jsonSafe);
  return safe.every((each, i) => Object.is(each, list[i])) ? list : safe;
}

/** Text that JSON.stringify puts in as it is (ES2026, in Node.js since 21; its types do not have it yet). */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
