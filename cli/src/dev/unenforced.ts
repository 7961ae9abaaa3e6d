import type { ReplPool } from '@replpool/protocol';

/** The first security field of the pool that asks for what nothing enforces here; such a pool is refused, never served with less. */
export function unenforced({ spec }: ReplPool): string | undefined {
  const { isolation, network } = spec;
  if (isolation.level !== 'None') return `spec.isolation.level: ${isolation.level}`;
  const { cgroups = 'None' } = isolation;
  if (cgroups !== 'None') return `spec.isolation.cgroups: ${cgroups}`;
  if (isolation.runtimeClassName !== '') return `spec.isolation.runtimeClassName: ${isolation.runtimeClassName}`;
  if (network.egress === 'Rules') return 'spec.network.egress: Rules';
  return undefined;
}
