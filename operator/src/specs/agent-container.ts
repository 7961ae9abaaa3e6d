import type { V1Container, V1Probe, V1ResourceRequirements, V1VolumeMount } from '@kubernetes/client-node';
import { CONFIG_DIRECTORY, CONFIG_FILE } from './config-map.ts';
import { AGENT_PORT, HEALTH_PORT, type Pool } from './owned.ts';
import { imageOf, type PodSettings } from './pod-part.ts';
import { PRIVILEGED, RESTRICTED } from './security.ts';

/** The container of the agent and of all that it starts. */
export function agentContainer(pool: Pool, settings: PodSettings, mounts: readonly V1VolumeMount[]): V1Container {
  const { podTemplate, isolation } = pool.spec;
  return {
    name: 'agent',
    image: imageOf(pool, settings),
    imagePullPolicy: 'IfNotPresent',
    // Why an agent ended is read from its last words.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    args: ['--config', `${CONFIG_DIRECTORY}/${CONFIG_FILE}`, '--pod', '$(POD_NAME)'],
    env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    ports: [
      { name: 'agent', containerPort: AGENT_PORT },
      { name: 'health', containerPort: HEALTH_PORT },
    ],
    // Warming may take minutes (imports of large packages) and is no reason to start again.
    startupProbe: probe('/healthz', { periodSeconds: 1, failureThreshold: 60 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2 }),
    resources: podTemplate.resources as V1ResourceRequirements,
    securityContext: isolation.cgroups === 'Privileged' ? PRIVILEGED : RESTRICTED,
    volumeMounts: [...mounts],
  };
}

function probe(path: string, times: Partial<V1Probe>): V1Probe {
  return { httpGet: { path, port: 'health' }, ...times };
}
