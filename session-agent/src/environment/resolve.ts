import {
  type EnvironmentReference,
  ReplPoolError,
  type ReplPoolSpec,
  referenceOfSource,
  referenceOfVariable,
} from '@replpool/protocol';

/** The variables of a template's sessions as the pool has them. */
export interface EnvironmentSpec {
  readonly envFrom: ReplPoolSpec['runtime']['envFrom'];
  readonly env: ReplPoolSpec['runtime']['env'];
}

/** A Secret or a ConfigMap: values by their keys. */
export type Values = ReadonlyMap<string, string>;
export type ValuesOf = (reference: EnvironmentReference) => Values;

/** What Kubernetes takes from `envFrom` (IsEnvVarName); other keys it leaves out. */
const NAME = /^(?!\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/**
 * Variables with the meaning that a container's have: `env` wins over `envFrom`, and what comes later over what came before.
 * @param valuesOf empty for an object that is not there
 * @throws ReplPoolError WORKER_FAILED that names what is missing and not optional
 */
export function resolveEnvironment({ envFrom, env }: EnvironmentSpec, valuesOf: ValuesOf): Record<string, string> {
  const variables = new Map<string, string>();
  for (const source of envFrom) {
    const reference = referenceOfSource(source);
    if (reference === undefined) continue;
    const values = valuesOf(reference);
    if (values.size === 0 && !reference.optional) throw missing(reference);
    for (const [key, value] of values) {
      const name = `${source.prefix ?? ''}${key}`;
      if (NAME.test(name) && name !== '.') variables.set(name, value);
    }
  }
  for (const variable of env) {
    const reference = referenceOfVariable(variable);
    const value = reference === undefined ? (variable.value ?? '') : valuesOf(reference).get(reference.key ?? '');
    if (value !== undefined) variables.set(variable.name, value);
    else if (reference && !reference.optional) throw missing(reference);
  }
  return Object.fromEntries(variables);
}

function missing({ kind, name, key }: EnvironmentReference): ReplPoolError {
  return new ReplPoolError(
    'WORKER_FAILED',
    `${kind} ${name} ${key === undefined ? 'is missing' : `has no key ${key}`}`,
    {
      why: 'Variables of the pool (`env`, `envFrom`) come from it.',
      how: `Create it in the pool's namespace, or set \`optional: true\`; the pods see it after a minute at most.`,
    },
  );
}
