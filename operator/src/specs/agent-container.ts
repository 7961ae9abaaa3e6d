import type { V1Container, V1Probe, V1ResourceRequirements, V1VolumeMount } from '@kubernetes/client-node';
import { AGENT_CONTAINER, AGENT_PORT } from '@replpool/protocol';
import { CONFIG_DIRECTORY, CONFIG_FILE } from './config-map.ts';
import { HEALTH_PORT, type Pool } from './owned.ts';
import { imageOf, type PodSettings } from './pod-part.ts';
import { PRIVILEGED, RESTRICTED } from './security.ts';

/** The folder that everybody may write to. */
export const TMP_DIRECTORY = '/tmp';

/** The container of the agent and of all that it starts. */
export function agentContainer(pool: Pool, settings: PodSettings, mounts: readonly V1VolumeMount[]): V1Container {
  const { podTemplate, isolation } = pool.spec;
  const isPrivileged = isolation.cgroups === 'Privileged';
  return {
    name: AGENT_CONTAINER,
    image: imageOf(pool, settings),
    imagePullPolicy: 'IfNotPresent',
    // Why an agent ended is read from its last words.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    args: ['--config', `${CONFIG_DIRECTORY}/${CONFIG_FILE}`, '--pod', '$(POD_NAME)'],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      // Code asks for its user's name and home (getpass, pathlib), and the pool's number is in no /etc/passwd. Sessions have them too.
      ...['USER', 'LOGNAME'].map((name) => ({ name, value: isPrivileged ? 'root' : 'replpool' })),
      { name: 'HOME', value: TMP_DIRECTORY },
    ],
    ports: [
      { name: 'agent', containerPort: AGENT_PORT },
      { name: 'health', containerPort: HEALTH_PORT },
    ],
    // Warming may take minutes (imports of large packages) and is no reason to start again.
    startupProbe: probe('/healthz', { periodSeconds: 1, failureThreshold: 60 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2 }),
    resources: podTemplate.resources as V1ResourceRequirements,
    securityContext: isPrivileged ? PRIVILEGED : RESTRICTED,
    volumeMounts: [...mounts],
  };
}

function probe(path: string, times: Partial<V1Probe>): V1Probe {
  return { httpGet: { path, port: 'health' }, ...times };
}
