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
  if (Array.isArray(value)) return value.some(needsChange) ? value.map(jsonSafe) : value;
  if (!Object.values(value).some(needsChange)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, jsonSafe(each)]));
}

function needsChange(value: unknown): boolean {
  return typeof value === 'bigint' || (typeof value === 'object' && value !== null && jsonSafe(value) !== value);
}

/** Text that JSON.stringify puts in as it is (ES2026, in Node.js since 21; its types do not have it yet). */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
