import type { V1Pod } from '@kubernetes/client-node';

export interface RestrictedPod {
  readonly name: string;
  readonly image: string;
  /** Secret whose keys are the files of /etc/replpool. */
  readonly secret: string;
  readonly args: readonly string[];
  readonly healthPort: number;
  readonly graceSeconds: number;
}

/** A pod as strict as Pod Security's `restricted`, and stricter: a root that is read-only, and no token. */
export function restrictedPod(pod: RestrictedPod): V1Pod {
  const { name, image, secret, args, healthPort, graceSeconds } = pod;
  const probe = (path: string) => ({ httpGet: { path, port: healthPort }, periodSeconds: 1 });
  const user = 65_532;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: graceSeconds,
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          args: [...args],
          env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          livenessProbe: { ...probe('/healthz'), failureThreshold: 30 },
          readinessProbe: { ...probe('/readyz') },
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
        },
      ],
      volumes: [
        { name: 'config', secret: { secretName: secret, defaultMode: 0o440 } },
        { name: 'run', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
      ],
    },
  };
}
