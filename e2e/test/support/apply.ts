import type { KubernetesObject } from '@kubernetes/client-node';
import { kubectlWith } from './kubectl.ts';

/** Applies objects, with their fields validated strictly; resolves when the API server has them. */
export async function apply(namespace: string, ...objects: KubernetesObject[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await kubectlWith(list, 'apply', '--namespace', namespace, '--validate=strict', '-f', '-');
}
