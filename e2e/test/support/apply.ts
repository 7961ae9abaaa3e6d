import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '@kubernetes/client-node';
import { kubectl } from './kubectl.ts';

/** Applies objects, with their fields validated strictly; resolves when the API server has them. */
export async function apply(namespace: string, ...objects: KubernetesObject[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'replpool-e2e-'));
  try {
    const file = join(folder, 'objects.json');
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }), { mode: 0o600 });
    await kubectl('apply', '--namespace', namespace, '--validate=strict', '-f', file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
