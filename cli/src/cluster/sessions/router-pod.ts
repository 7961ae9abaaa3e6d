import { RELEASE_LABEL } from '@replpool/protocol';
import { serviceFailed, wrongUse } from '../../failure.ts';
import type { Cluster } from '../cluster.ts';
import { podsOf } from '../component-pods.ts';
import { isReady, type SeenPod } from '../objects.ts';

export interface RouterPod {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface ReleaseOptions {
  /** Of operator and routers. */
  readonly releaseNamespace: string;
  readonly release?: string;
}

/**
 * A ready router of the release. Other namespaces are never searched but for a hint: whoever may make a pod there could give it a router's
 * labels, and would be sent the caller's token.
 */
export async function findRouter(
  cluster: Cluster,
  { releaseNamespace: namespace, release }: ReleaseOptions,
): Promise<RouterPod> {
  const all = await podsOf(cluster, 'router', { namespace });
  const routers = all.filter((pod) => release === undefined || releaseOf(pod) === release);
  if (routers.length === 0) throw await noRouter(cluster, namespace, all, release);
  const releases = [...new Set(routers.map(releaseOf))].toSorted();
  if (releases.length > 1) {
    throw wrongUse(`namespace ${namespace} has several releases: ${releases.join(', ')}`, 'name one with --release');
  }
  const router = routers.find((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined);
  if (router === undefined) {
    throw serviceFailed(
      `none of the ${routers.length} routers in namespace ${namespace} is ready`,
      `\`kubectl get pods -n ${namespace}\` and \`kubectl replpool report\` tell more`,
    );
  }
  return routerPodOf(router);
}

/** @throws CommandFailure where it has no port named http */
function routerPodOf({ metadata: { namespace, name }, spec }: SeenPod): RouterPod {
  const port = spec.containers.flatMap(({ ports }) => ports).find((each) => each.name === 'http')?.containerPort;
  if (port === undefined) throw serviceFailed(`pod ${name} in namespace ${namespace} has no port named http`);
  return { namespace, name, port };
}

const releaseOf = ({ metadata }: SeenPod): string => metadata.labels[RELEASE_LABEL] ?? '';

async function noRouter(cluster: Cluster, namespace: string, there: readonly SeenPod[], release: string | undefined) {
  if (there.length > 0) {
    const known = [...new Set(there.map(releaseOf))].toSorted().join(', ');
    return wrongUse(`namespace ${namespace} has no release '${release}'`, `it has: ${known}`);
  }
  // Only a hint: without the right to look there is none.
  const elsewhere = await podsOf(cluster, 'router', { namespace: undefined }).catch((): SeenPod[] => []);
  const places = [...new Set(elsewhere.map((pod) => pod.metadata.namespace))].toSorted();
  return wrongUse(
    `there is no router in namespace ${namespace}`,
    places.length === 0
      ? "name the release's namespace with --release-namespace, or the router's address with --url"
      : `pods that look like routers are in: ${places.join(', ')}; where that is yours, name it with --release-namespace`,
  );
}
