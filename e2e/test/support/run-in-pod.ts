import { randomBytes } from 'node:crypto';
import { apply } from './apply.ts';
import { kubectl } from './kubectl.ts';

export interface InPod {
  /** One with Node.js. */
  readonly image: string;
  readonly serviceAccount: string;
  readonly env: Readonly<Record<string, string>>;
  /** CommonJS. */
  readonly script: string;
}

/** Runs a script in a restricted pod that has its ServiceAccount's token for the router. @returns what it printed */
export async function runInPod(namespace: string, { image, serviceAccount, env, script }: InPod): Promise<string> {
  const name = `run-${randomBytes(3).toString('hex')}`;
  await apply(namespace, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      serviceAccountName: serviceAccount,
      automountServiceAccountToken: false,
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 65_532, fsGroup: 65_532 },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'run',
          image,
          command: ['node', '--eval', script],
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'token', mountPath: '/var/run/replpool', readOnly: true }],
        },
      ],
      volumes: [
        { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'replpool' } }] } },
      ],
    },
  } as object);
  const pod = `pod/${name}`;
  await kubectl('wait', pod, '-n', namespace, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s').catch(
    async (error: unknown) => {
      const said = await kubectl('logs', name, '-n', namespace).catch(String);
      throw new Error(`the script did not end well: ${said}`, { cause: error });
    },
  );
  return await kubectl('logs', name, '-n', namespace);
}
