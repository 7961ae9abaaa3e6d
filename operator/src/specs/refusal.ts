import { environmentReferences } from '@replpool/protocol';
import type { Pool } from './owned.ts';
import type { PodSettings } from './pod-part.ts';
import { authoritySecret, routerTlsSecret } from './tls-secrets.ts';

/** What a release does for no pool, or not for this one: it gets no pods. */
export interface Refusal {
  /**
   * - `isolation`: it would have to be given the node
   * - `secret`: its sessions would see what operator and routers prove themselves by
   */
  readonly kind: 'isolation' | 'secret';
  readonly message: string;
}

/** Why a pool gets no pods, whatever the API server would say to them; undefined where nothing is against it. */
export function refusalOf(pool: Pool, settings: PodSettings): Refusal | undefined {
  return privilegedRefusal(pool, settings) ?? secretRefusal(pool, settings);
}

/** A privileged container is root on its node: who may write a ReplPool must not get that by it, and code of their own there in no case. */
function privilegedRefusal({ spec }: Pool, { allowPrivileged = false }: PodSettings): Refusal | undefined {
  if (spec.isolation.cgroups !== 'Privileged') return undefined;
  const refused = (why: string): Refusal => ({
    kind: 'isolation',
    message: `spec.isolation.cgroups: Privileged ${why}`,
  });
  if (spec.runtime.image !== '')
    return refused("is not given to an image of the pool's own: leave out spec.runtime.image, or choose Delegate");
  return allowPrivileged
    ? undefined
    : refused('gives the node away and is not allowed in this release (operator.allowPrivileged): choose Delegate');
}

/** Where a pool is in the release's namespace, its variables could name the release's keys. */
function secretRefusal({ namespace, spec }: Pool, { release }: PodSettings): Refusal | undefined {
  if (release === undefined || release.namespace !== namespace) return undefined;
  const own = [authoritySecret(release), routerTlsSecret(release)].map(({ metadata }) => metadata.name);
  const named = environmentReferences(spec).find(({ kind, name }) => kind === 'Secret' && own.includes(name));
  if (named === undefined) return undefined;
  return {
    kind: 'secret',
    message: `variables of its sessions come from Secret ${named.name}, which is the release's own`,
  };
}
