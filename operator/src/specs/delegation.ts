import type { V1Container } from '@kubernetes/client-node';
import type { Pool } from './owned.ts';
import type { PodPart, PodSettings } from './pod-part.ts';
import { poolUser } from './pool-user.ts';

/** Where the agent asks for cgroups. */
export const DELEGATION_DIRECTORY = '/run/replpool-delegation';
const HOST_CGROUPS = '/host/cgroup';
/** For each session its own cgroup, those of one that ends and of one that is warmed in its place; and a few of the agent's. */
const CGROUPS_PER_SESSION = 4;
const OTHER_CGROUPS = 64;

/** For `isolation.cgroups: Delegate`: who gives the agent the cgroup of its container, as `session-agent/pod/delegate` says. */
export function delegation(pool: Pool, settings: PodSettings): PodPart | undefined {
  if (pool.spec.isolation.cgroups !== 'Delegate') return undefined;
  const cgroups = { name: 'host-cgroups', mountPath: HOST_CGROUPS };
  const requests = { name: 'delegation', mountPath: DELEGATION_DIRECTORY };
  return {
    initContainers: [{ ...delegate(pool, settings), volumeMounts: [cgroups, requests] }],
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
function delegate(pool: Pool, { agentImage }: PodSettings): V1Container {
  const cgroups = pool.spec.sessions.maxPerPod * CGROUPS_PER_SESSION + OTHER_CGROUPS;
  // Requests equal limits, so that a pool whose own are equal is still Guaranteed. The start of a container takes most of it.
  const resources = { cpu: '50m', memory: '32Mi' };
  return {
    name: 'delegate',
    image: agentImage,
    imagePullPolicy: 'IfNotPresent',
    restartPolicy: 'Always',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    command: ['/opt/replpool/delegate', HOST_CGROUPS, DELEGATION_DIRECTORY, `${poolUser(pool)}`, `${cgroups}`],
    resources: { requests: resources, limits: resources },
    securityContext: {
      ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false },
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['CHOWN'] },
    },
  };
}
