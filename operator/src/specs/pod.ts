import type { V1Pod, V1PodSpec, V1Probe } from '@kubernetes/client-node';
import { secretName } from './config-secret.ts';
import { agentSelector, objectLabels, REVISION_LABEL } from './labels.ts';
import { AGENT_PORT, HEALTH_PORT, objectName, ownerReference, type Pool } from './owned.ts';

/** The unprivileged user of the images. */
const AGENT_UID = 65_532;
/** From the end of a drain to the kill: time to end what is left. */
const SHUTDOWN_SECONDS = 30;

/** What a release says of all pods. */
export interface PodSettings {
  /** Of a pool that names none. */
  readonly agentImage: string;
}

/**
 * One pod of a pool: restricted and without a service account's token. Its name is the API server's to make; all else follows from the pool.
 * @param revision the hash of what it is made from
 */
export function agentPod(pool: Pool, revision: string, settings: PodSettings): V1Pod {
  const { spec, name, namespace } = pool;
  const { podTemplate } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...podTemplate.labels, ...objectLabels(name), [REVISION_LABEL]: revision },
      annotations: { ...podTemplate.annotations },
      ownerReferences: [ownerReference(pool)],
    },
    spec: plain<V1PodSpec>({
      serviceAccountName: objectName(pool),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: spec.update.drainSeconds + SHUTDOWN_SECONDS,
      runtimeClassName: spec.isolation.runtimeClassName || undefined,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: AGENT_UID,
        runAsGroup: AGENT_UID,
        fsGroup: AGENT_UID,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [agentContainer(pool, settings)],
      volumes: [
        { name: 'config', secret: { secretName: secretName(pool, revision) } },
        { name: 'run', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
      ],
      nodeSelector: podTemplate.nodeSelector,
      tolerations: podTemplate.tolerations,
      affinity: podTemplate.affinity,
      priorityClassName: podTemplate.priorityClassName,
      imagePullSecrets: podTemplate.imagePullSecrets,
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: agentSelector(name) },
        },
      ],
    }),
  };
}

function agentContainer({ spec }: Pool, { agentImage }: PodSettings): object {
  const { runtime, podTemplate } = spec;
  return {
    name: 'agent',
    image: runtime.image === '' ? agentImage : runtime.image,
    imagePullPolicy: 'IfNotPresent',
    args: ['--config', '/etc/replpool/agent.json', '--pod', '$(POD_NAME)'],
    env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, ...runtime.env],
    envFrom: runtime.envFrom,
    ports: [
      { name: 'agent', containerPort: AGENT_PORT },
      { name: 'health', containerPort: HEALTH_PORT },
    ],
    // Warming may take minutes (imports of large packages) and is no reason to start again.
    startupProbe: probe('/healthz', { periodSeconds: 1, failureThreshold: 60 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2 }),
    resources: podTemplate.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/replpool', readOnly: true },
      { name: 'run', mountPath: '/run/replpool' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

function probe(path: string, times: Partial<V1Probe>): V1Probe {
  return { httpGet: { path, port: 'health' }, ...times };
}

/** What the schemas checked, as the API's type has it; what they left out is left out. */
function plain<T>(value: object): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
