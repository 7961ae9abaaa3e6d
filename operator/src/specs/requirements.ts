import type { V1Container, V1EnvFromSource, V1EnvVar, V1ResourceRequirements } from '@kubernetes/client-node';
import type { Pool } from './owned.ts';
import { imageOf, type PodPart, type PodSettings } from './pod-part.ts';
import { RESTRICTED } from './security.ts';

const IMAGE_PYTHON = '/opt/replpool/python';
const OWN_PYTHON = '/var/lib/replpool/python';

/** The interpreter of a pool's workers: the image's, or one beside it that has the pool's requirements too. */
export function pythonOf({ spec }: Pool): string {
  return `${spec.runtime.requirements.length === 0 ? IMAGE_PYTHON : OWN_PYTHON}/bin/python`;
}

/** Installs `runtime.requirements` into a volume, as `session-agent/pod/install-requirements` says, before the agent starts. */
export function requirements(pool: Pool, settings: PodSettings): PodPart | undefined {
  if (pool.spec.runtime.requirements.length === 0) return undefined;
  const python = { name: 'python', mountPath: OWN_PYTHON };
  const tmp = { name: 'requirements-tmp', mountPath: '/tmp' };
  return {
    initContainers: [{ ...installer(pool, settings), volumeMounts: [python, tmp] }],
    volumes: [
      { name: python.name, emptyDir: {} },
      { name: tmp.name, emptyDir: {} },
    ],
    mounts: [{ ...python, readOnly: true }],
  };
}

function installer(pool: Pool, settings: PodSettings): V1Container {
  const { runtime, network, podTemplate } = pool.spec;
  const args = [IMAGE_PYTHON, OWN_PYTHON, network.packageIndex, ...runtime.requirements];
  return {
    name: 'requirements',
    image: imageOf(pool, settings),
    imagePullPolicy: 'IfNotPresent',
    // pip's last lines say what is wrong.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    command: ['/opt/replpool/install-requirements', ...args.map(literal)],
    // What sessions have, pip has: an index may want a password (`PIP_INDEX_URL` from a Secret), or a proxy.
    env: runtime.env as V1EnvVar[],
    envFrom: runtime.envFrom as V1EnvFromSource[],
    // The agent's: as it comes later, they add nothing to what the pod needs.
    resources: podTemplate.resources as V1ResourceRequirements,
    securityContext: RESTRICTED,
  };
}

/** Kubernetes expands `$(NAME)` in commands, and makes one of two `$`. */
function literal(argument: string): string {
  return argument.replaceAll('$', () => '$$');
}
