import { isRecord, type Resource, resources } from '@replpool/kube';
import { APP_LABEL, APP_NAME } from '@replpool/protocol';
import type { Cluster } from '../cluster.ts';
import { type SeenPod, seenEvent } from '../objects.ts';
import type { Findings } from './findings.ts';

const namespaced = (group: string, version: string, kind: string, plural: string): Resource => {
  return { group, version, kind, plural, namespaced: true };
};

/** Never Secrets: what is not read cannot leak. */
const labelled: readonly Resource[] = [
  resources.pods,
  resources.services,
  resources.configMaps,
  resources.serviceAccounts,
  resources.networkPolicies,
  resources.podDisruptionBudgets,
  namespaced('apps', 'v1', 'Deployment', 'deployments'),
  namespaced('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices'),
  namespaced('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
];

const nodes: Resource = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };
const definitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** The objects of ours in a namespace, the pools and the events that are about them. */
export async function gatherNamespace(cluster: Cluster, findings: Findings, namespace: string): Promise<void> {
  const labelSelector = `${APP_LABEL}=${APP_NAME}`;
  const gather = async (resource: Resource, selection: object, filter = (_: unknown) => true): Promise<void> => {
    const items = await findings.attempt(`${resource.plural} of namespace ${namespace}`, () =>
      cluster.list(resource, { namespace, ...selection }),
    );
    // The items of a list come without their kind.
    const whole = (items ?? [])
      .filter(filter)
      .map((item) => ({ kind: resource.kind, ...(isRecord(item) ? item : {}) }));
    findings.addObjects(`namespaces/${namespace}/${resource.plural}.yaml`, whole);
  };
  await gather(resources.replPools, {});
  for (const resource of labelled) await gather(resource, { labelSelector });
  // Leases have no labels of ours.
  await gather(resources.leases, {}, isOurs);
  await gather(resources.events, {}, ofOurs(findings, namespace));
}

const isOurs = (item: unknown): boolean =>
  isRecord(item) && isRecord(item.metadata) && /(^|-)operator$/.test(String(item.metadata.name));

/** Events about a pool, and about what begins with the name of an object of ours, such as a pod that is gone. */
function ofOurs(findings: Findings, namespace: string): (item: unknown) => boolean {
  const here = findings.objects.filter(({ path }) => path.startsWith(`namespaces/${namespace}/`));
  const names = here.flatMap(({ objects }) =>
    objects.flatMap((object) => (isRecord(object) && isRecord(object.metadata) ? [String(object.metadata.name)] : [])),
  );
  return (item) => {
    const event = seenEvent.safeParse(item).data;
    if (event === undefined) return false;
    const { name } = event.regarding;
    return names.some((each) => name === each || name.startsWith(`${each}-`));
  };
}

/** The nodes that the pods are on, without their images and addresses. */
export async function gatherNodes(cluster: Cluster, findings: Findings, pods: readonly SeenPod[]): Promise<void> {
  const names = new Set(pods.flatMap(({ spec }) => spec.nodeName ?? []));
  const items = await findings.attempt('nodes', () => cluster.list(nodes));
  const summaries = (items ?? []).flatMap((item) => {
    const { metadata, spec, status } = isRecord(item) ? item : {};
    if (!isRecord(metadata) || !isRecord(status) || !names.has(String(metadata.name))) return [];
    const { capacity, allocatable, conditions, nodeInfo } = status;
    const { taints, unschedulable } = isRecord(spec) ? spec : {};
    return [
      {
        name: metadata.name,
        labels: metadata.labels,
        taints,
        unschedulable,
        capacity,
        allocatable,
        conditions,
        nodeInfo,
      },
    ];
  });
  findings.addObjects('nodes.yaml', summaries);
}

/** How the cluster knows ReplPools: which versions, and whether it could take the schema. */
export async function gatherDefinition(cluster: Cluster, findings: Findings): Promise<void> {
  const name = 'replpools.replpool.dev';
  const definition = await findings.attempt(`the CRD ${name}`, () => cluster.get(definitions, { name }));
  if (!isRecord(definition)) return;
  const { metadata, spec, status } = definition;
  const versions: unknown[] = isRecord(spec) && Array.isArray(spec.versions) ? spec.versions : [];
  const served = versions
    .filter(isRecord)
    .map(({ name: version, served: isServed, storage }) => ({ version, isServed, storage }));
  findings.addObjects('crd.yaml', [{ metadata, versions: served, status }]);
}
