import type { V1Pod, V1PodSpec, V1Toleration, V1VolumeProjection } from '@kubernetes/client-node';
import { TLS_FILE_NAMES } from '@replpool/protocol';
import { agentContainer, TMP_DIRECTORY } from './agent-container.ts';
import { checkpoints } from './checkpoints.ts';
import { CONFIG_DIRECTORY, configMapName } from './config-map.ts';
import { delegation } from './delegation.ts';
import { environment } from './environment.ts';
import { agentSelector, objectLabels, REVISION_LABEL } from './labels.ts';
import { objectName, ownerReference, type Pool, tlsSecretName } from './owned.ts';
import type { PodPart, PodSettings } from './pod-part.ts';
import { requirements } from './requirements.ts';
import { podSecurity } from './security.ts';
import { tolerationsOf } from './tolerations.ts';

/** From the end of a drain to the kill: time to end what is left. */
const SHUTDOWN_SECONDS = 30;

/**
 * One pod of a pool, but for its name: restricted and without a service account's token. All of it follows from the pool.
 * @param revision the hash of what it is made from
 */
export function agentPod(pool: Pool, revision: string, settings: PodSettings): V1Pod {
  const { spec, name, namespace } = pool;
  const { podTemplate } = spec;
  const parts = partsOf(pool, revision, settings);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      labels: { ...podTemplate.labels, ...objectLabels(name), [REVISION_LABEL]: revision },
      annotations: { ...podTemplate.annotations },
      ownerReferences: [ownerReference(pool)],
    },
    spec: plain<V1PodSpec>({
      serviceAccountName: objectName(pool),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // SIGTERM drains an agent; a preStop hook would only be one more thing that must not fail.
      terminationGracePeriodSeconds: spec.update.drainSeconds + SHUTDOWN_SECONDS,
      runtimeClassName: spec.isolation.runtimeClassName || undefined,
      securityContext: podSecurity(pool),
      initContainers: parts.flatMap(({ initContainers = [] }) => initContainers),
      containers: [
        agentContainer(
          pool,
          settings,
          parts.flatMap(({ mounts }) => mounts),
        ),
      ],
      volumes: parts.flatMap(({ volumes }) => volumes),
      nodeSelector: podTemplate.nodeSelector,
      tolerations: tolerationsOf(podTemplate.tolerations as V1Toleration[] | undefined),
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

function partsOf(pool: Pool, revision: string, settings: PodSettings): readonly PodPart[] {
  const optional = [requirements(pool, settings), delegation(pool, settings)];
  return [
    config(pool, revision),
    SCRATCH,
    environment(pool),
    checkpoints(pool),
    ...optional.filter((part) => part !== undefined),
  ];
}

/** All in one volume. A certificate that is renewed appears in it, which no subPath would do. */
function config(pool: Pool, revision: string): PodPart {
  const sources: V1VolumeProjection[] = [
    { configMap: { name: configMapName(pool, revision) } },
    { secret: { name: tlsSecretName(pool), items: Object.values(TLS_FILE_NAMES).map((key) => ({ key, path: key })) } },
  ];
  return {
    volumes: [{ name: 'config', projected: { sources, defaultMode: 0o440 } }],
    mounts: [{ name: 'config', mountPath: CONFIG_DIRECTORY, readOnly: true }],
  };
}

const SCRATCH: PodPart = {
  volumes: [
    { name: 'run', emptyDir: {} },
    { name: 'tmp', emptyDir: {} },
  ],
  mounts: [
    { name: 'run', mountPath: '/run/replpool' },
    { name: 'tmp', mountPath: TMP_DIRECTORY },
  ],
};

/** What the schemas checked, as the API's type has it; what they left out is left out. */
function plain<T>(value: object): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
