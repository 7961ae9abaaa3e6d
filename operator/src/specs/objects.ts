import type {
  V1LabelSelector,
  V1NetworkPolicyEgressRule,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1ObjectMeta,
  V1PodDisruptionBudget,
  V1Service,
  V1ServiceAccount,
} from '@kubernetes/client-node';
import { AGENT_PORT } from '@replpool/protocol';
import { agentSelector, componentSelector } from './labels.ts';
import { HEALTH_PORT, ownedMetadata, type Pool } from './owned.ts';

/** As the API has it: client-node's type calls `from` `_from`, which only its own client undoes. */
export interface NetworkPolicy {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: V1ObjectMeta;
  readonly spec: {
    readonly podSelector: V1LabelSelector;
    readonly policyTypes: readonly ('Ingress' | 'Egress')[];
    readonly ingress: readonly {
      readonly from?: readonly V1NetworkPolicyPeer[];
      readonly ports: readonly V1NetworkPolicyPort[];
    }[];
    readonly egress: readonly V1NetworkPolicyEgressRule[];
  };
}

/** An identity without rights and without a token. */
export function serviceAccount(pool: Pool): V1ServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: ownedMetadata(pool),
    automountServiceAccountToken: false,
  };
}

/**
 * Headless: the addresses of all agents under one name, for those who look for Services and not for pods (DNS, scrapers, meshes). Routers watch
 * the pods themselves.
 */
export function agentService(pool: Pool): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: ownedMetadata(pool),
    spec: {
      clusterIP: 'None',
      selector: agentSelector(pool.name),
      // Drained agents still have sessions, and one that does not become ready is worth a look.
      publishNotReadyAddresses: true,
      ports: [
        { name: 'agent', port: AGENT_PORT, targetPort: 'agent' },
        { name: 'metrics', port: HEALTH_PORT, targetPort: 'health' },
      ],
    },
  };
}

/**
 * Spares pods from voluntary evictions as far as there are others; how a pod with sessions leaves is the drain's business. A number of pods, for
 * `maxUnavailable` would be counted from `spec.replicas`, which autoscaling does not read; and never all of them, or a node could not be drained.
 * @param replicas how many pods the pool is to have now
 */
export function disruptionBudget(pool: Pool, replicas: number): V1PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMetadata(pool),
    spec: {
      minAvailable: Math.max(0, replicas - Math.max(1, pool.spec.update.maxUnavailable)),
      selector: { matchLabels: agentSelector(pool.name) },
      // One that never becomes ready must not hold up the drain of its node.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}

/**
 * Lets routers and the operator of the release reach the agents, and anybody their metrics. What sessions may reach is held by their own walls:
 * a policy binds the whole pod.
 * @param releaseNamespace where operator and routers run
 */
export function networkPolicy(pool: Pool, releaseNamespace: string): NetworkPolicy {
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': releaseNamespace } };
  const from = (['router', 'operator'] as const).map((component) => ({
    namespaceSelector,
    podSelector: { matchLabels: componentSelector(component) },
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMetadata(pool),
    spec: {
      podSelector: { matchLabels: agentSelector(pool.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from, ports: [tcp(AGENT_PORT)] }, { ports: [tcp(HEALTH_PORT)] }],
      egress: egressRules(pool),
    },
  };
}

const tcp = (port: number) => ({ protocol: 'TCP', port });
/** Within the cluster: a resolver of the world's would carry anything out, asked for it name by name. A cache on the node is a rule of the pool's. */
const DNS: V1NetworkPolicyEgressRule = {
  to: [{ namespaceSelector: {} }],
  ports: [{ protocol: 'UDP', port: 53 }, tcp(53)],
};

function egressRules({ spec }: Pool): V1NetworkPolicyEgressRule[] {
  const { egress, rules } = spec.network;
  // A policy knows addresses and no names: an index, the pool's or pip's own, is a host, and opens the way to all.
  if (egress === 'Allow' || spec.runtime.requirements.length > 0) return [{}];
  const toRules = rules.map(({ cidr, ports }) => ({
    to: [{ ipBlock: { cidr } }],
    ...(ports && { ports: ports.map(tcp) }),
  }));
  return [DNS, ...toRules];
}
