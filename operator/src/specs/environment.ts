import type { V1KeyToPath, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { ENVIRONMENT_FOLDERS, type EnvironmentReference, environmentReferences } from '@replpool/protocol';
import type { Pool } from './owned.ts';
import type { PodPart } from './pod-part.ts';

/** Where the agent reads what variables of sessions refer to; not below its configuration, in which no volume can be mounted. */
export const ENVIRONMENT_DIRECTORY = '/etc/replpool-env';

/**
 * The Secrets and ConfigMaps of `env` and `envFrom`, a volume each. Never in the agent's own environment, which it passes on to nobody: so the
 * next session has what a Secret says by then. What is not there keeps no pod from starting, as a volume would without a word: the agent
 * says what it misses.
 */
export function environment({ spec }: Pool): PodPart {
  const objects = new Map<string, EnvironmentReference[]>();
  for (const reference of environmentReferences(spec)) {
    const folder = `${ENVIRONMENT_FOLDERS[reference.kind]}/${reference.name}`;
    objects.set(folder, [...(objects.get(folder) ?? []), reference]);
  }
  const parts = [...objects].map(([folder, references], index) => partOf(folder, references, `env-${index}`));
  return { volumes: parts.map(({ volume }) => volume), mounts: parts.map(({ mount }) => mount) };
}

function partOf(
  folder: string,
  references: readonly EnvironmentReference[],
  name: string,
): { volume: V1Volume; mount: V1VolumeMount } {
  const [first] = references;
  const options = { optional: true, defaultMode: 0o440, ...keysOf(references) };
  const source =
    first?.kind === 'Secret'
      ? { secret: { secretName: first.name, ...options } }
      : { configMap: { name: first?.name ?? '', ...options } };
  return {
    volume: { name, ...source },
    mount: { name, mountPath: `${ENVIRONMENT_DIRECTORY}/${folder}`, readOnly: true },
  };
}

/** Only the keys that are named, unless all are wanted. */
function keysOf(references: readonly EnvironmentReference[]): { items?: V1KeyToPath[] } {
  const keys = references.map(({ key }) => key);
  if (keys.includes(undefined)) return {};
  return { items: [...new Set(keys)].flatMap((key) => (key === undefined ? [] : { key, path: key })) };
}
