import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// In the repository it lies at the root; a published package carries a copy in dist/ (scripts/prepack.mjs).
const places = ['../../../', '../'];

/** A file or folder that belongs to this program and is no TypeScript: `worker`, `examples`. Undefined: it is not there. */
export function shipped(path: string): string | undefined {
  return places.map((place) => fileURLToPath(new URL(place + path, import.meta.url))).find((it) => existsSync(it));
}
