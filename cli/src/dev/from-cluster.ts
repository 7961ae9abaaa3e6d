import { type ReplPool, referenceOfSource, referenceOfVariable } from '@replpool/protocol';

/** The first variable of the pool's sessions that must come from an object of a cluster; one that may be missing is left out here. */
export function fromCluster({ spec: { runtime, templates } }: ReplPool): string | undefined {
  const source = runtime.envFrom.findIndex((each) => referenceOfSource(each)?.optional === false);
  if (source >= 0) return `spec.runtime.envFrom[${source}]`;
  const variables = [
    ...runtime.env.map((variable) => ({ variable, of: 'spec.runtime.env' })),
    ...templates.flatMap(({ name, env = [] }) => env.map((variable) => ({ variable, of: `env of template ${name}` }))),
  ];
  const found = variables.find(({ variable }) => referenceOfVariable(variable)?.optional === false);
  return found && `${found.of}: ${found.variable.name}`;
}
