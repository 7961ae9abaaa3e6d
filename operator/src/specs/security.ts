import type { V1PodSecurityContext, V1SecurityContext } from '@kubernetes/client-node';
import type { Pool } from './owned.ts';
import { poolUser } from './pool-user.ts';

/** Of the pod; what a container says of itself wins. */
export function podSecurity(pool: Pool): V1PodSecurityContext {
  const user = poolUser(pool);
  return {
    runAsNonRoot: true,
    ...{ runAsUser: user, runAsGroup: user, fsGroup: user },
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** With that of the pod it is what Pod Security calls restricted, and its root is read-only. */
export const RESTRICTED: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** For `isolation.cgroups: Privileged`: only so does a container have its own cgroups to write without anybody's help. */
export const PRIVILEGED: V1SecurityContext = {
  privileged: true,
  readOnlyRootFilesystem: true,
  ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false },
};
