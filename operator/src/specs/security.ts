import type { V1PodSecurityContext, V1SecurityContext } from '@kubernetes/client-node';

/** The unprivileged user of the images. */
export const AGENT_UID = 65_532;

/** Of the pod; what a container says of itself wins. */
export const POD_SECURITY: V1PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: AGENT_UID,
  runAsGroup: AGENT_UID,
  fsGroup: AGENT_UID,
  seccompProfile: { type: 'RuntimeDefault' },
};

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
