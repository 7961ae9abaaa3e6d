import type { ReplPoolSpec } from './replpool.ts';

type Variable = ReplPoolSpec['runtime']['env'][number];
type Source = ReplPoolSpec['runtime']['envFrom'][number];

/** An object of the pool's namespace that variables come from. */
export interface EnvironmentReference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  /** Absent where all keys are wanted. */
  readonly key?: string;
  /** Whether there may be none. */
  readonly optional: boolean;
}

/** The folders that have a folder for each object, and in it a file for each key. */
export const ENVIRONMENT_FOLDERS = { Secret: 'secrets', ConfigMap: 'configMaps' } as const;

/** What a variable's value comes from; undefined where it has one of its own. */
export function referenceOfVariable({ valueFrom }: Variable): EnvironmentReference | undefined {
  const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
  const kind = secretKeyRef ? 'Secret' : 'ConfigMap';
  const reference = secretKeyRef ?? configMapKeyRef;
  return reference && { kind, name: reference.name, key: reference.key, optional: reference.optional ?? false };
}

/** The object whose keys are variables; undefined where none is named. */
export function referenceOfSource({ secretRef, configMapRef }: Source): EnvironmentReference | undefined {
  const kind = secretRef ? 'Secret' : 'ConfigMap';
  const reference = secretRef ?? configMapRef;
  return reference && { kind, name: reference.name, optional: reference.optional ?? false };
}

/** All that the variables of a pool's sessions come from, in the order of the spec; an object may be there more than once. */
export function environmentReferences({ runtime, templates }: ReplPoolSpec): EnvironmentReference[] {
  const variables = [...runtime.env, ...templates.flatMap(({ env = [] }) => env)];
  const found = [...runtime.envFrom.map(referenceOfSource), ...variables.map(referenceOfVariable)];
  return found.filter((reference) => reference !== undefined);
}
