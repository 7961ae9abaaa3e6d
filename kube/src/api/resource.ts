/** One kind of resource and where the API server serves it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

export interface Place {
  /** Without one, the collection of all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

export function pathOf(resource: Resource, { namespace, name, subresource }: Place = {}): string {
  const root = resource.group === '' ? 'api' : 'apis';
  const place = resource.namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const rest = [name, subresource].filter((part) => part !== undefined);
  const parts = [root, ...apiVersionOf(resource).split('/'), ...place, resource.plural, ...rest];
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

const namespaced = (group: string, version: string, kind: string, plural: string): Resource => {
  return { group, version, kind, plural, namespaced: true };
};

/** What the operator reads or writes. */
export const resources = {
  pods: namespaced('', 'v1', 'Pod', 'pods'),
  services: namespaced('', 'v1', 'Service', 'services'),
  secrets: namespaced('', 'v1', 'Secret', 'secrets'),
  configMaps: namespaced('', 'v1', 'ConfigMap', 'configmaps'),
  serviceAccounts: namespaced('', 'v1', 'ServiceAccount', 'serviceaccounts'),
  networkPolicies: namespaced('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies'),
  podDisruptionBudgets: namespaced('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  leases: namespaced('coordination.k8s.io', 'v1', 'Lease', 'leases'),
  events: namespaced('events.k8s.io', 'v1', 'Event', 'events'),
  replPools: namespaced('replpool.dev', 'v1alpha1', 'ReplPool', 'replpools'),
} as const satisfies Record<string, Resource>;
