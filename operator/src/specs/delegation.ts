import type { V1Container } from '@kubernetes/client-node';
import type { Pool } from './owned.ts';
import type { PodPart, PodSettings } from './pod-part.ts';
import { AGENT_UID } from './security.ts';

/** Where the agent asks for cgroups. */
export const DELEGATION_DIRECTORY = '/run/replpool-delegation';
const HOST_CGROUPS = '/host/cgroup';

/** For `isolation.cgroups: Delegate`: who gives the agent the cgroup of its container, as `session-agent/pod/delegate` says. */
export function delegation({ spec }: Pool, settings: PodSettings): PodPart | undefined {
  if (spec.isolation.cgroups !== 'Delegate') return undefined;
  const cgroups = { name: 'host-cgroups', mountPath: HOST_CGROUPS };
  const requests = { name: 'delegation', mountPath: DELEGATION_DIRECTORY };
  return {
    initContainers: [{ ...delegate(settings), volumeMounts: [cgroups, requests] }],
    volumes: [
      { name: 'host-cgroups', hostPath: { path: '/sys/fs/cgroup', type: 'Directory' } },
      { name: 'delegation', emptyDir: {} },
    ],
    // Read-only, a FIFO in it can still be written to; nothing in it can be replaced to lead the delegate astray.
    mounts: [cgroups, { ...requests, readOnly: true }],
  };
}

/**
 * It stays as long as the agent does, whose container may start again, and runs the release's own image: who may write a ReplPool must not
 * get the node. It is root with the right to give files away, and no other: the files that it is to give are root's.
 */
function delegate({ agentImage }: PodSettings): V1Container {
  // Requests equal limits, so that a pool whose own are equal is still Guaranteed. The start of a container takes most of it.
  const resources = { cpu: '50m', memory: '32Mi' };
  return {
    name: 'delegate',
    image: agentImage,
    imagePullPolicy: 'IfNotPresent',
    restartPolicy: 'Always',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    command: ['/opt/replpool/delegate', HOST_CGROUPS, DELEGATION_DIRECTORY, `${AGENT_UID}`],
    resources: { requests: resources, limits: resources },
    securityContext: {
      ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false },
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['CHOWN'] },
    },
  };
}
