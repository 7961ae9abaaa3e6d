import type { V1ObjectMeta } from '@kubernetes/client-node';
import { AGENT_PORT, type AgentConfig, TLS_FILE_NAMES } from '@replpool/protocol';
import { DELEGATION_DIRECTORY } from './delegation.ts';
import { ENVIRONMENT_DIRECTORY } from './environment.ts';
import { REVISION_LABEL } from './labels.ts';
import { HEALTH_PORT, objectName, ownedMetadata, type Pool } from './owned.ts';
import { pythonOf } from './requirements.ts';

/** Where an agent finds its configuration and its certificate. */
export const CONFIG_DIRECTORY = '/etc/replpool';
export const CONFIG_FILE = 'agent.json';

/** A ConfigMap as the operator makes it; it is immutable, for its pods have read it. */
export interface AgentConfigMap {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly metadata: V1ObjectMeta & { readonly name: string };
  readonly immutable: true;
  readonly data: Readonly<Record<typeof CONFIG_FILE, string>>;
}

/** One ConfigMap a revision: a pod that starts again finds what it started with, whatever the pool became meanwhile. */
export function configMapName(pool: Pool, revision: string): string {
  return `${objectName(pool)}-${revision}`;
}

/** What the agents of one revision are started with. Nothing of it is secret. */
export function configMap(pool: Pool, revision: string): AgentConfigMap {
  const file = (name: string) => `${CONFIG_DIRECTORY}/${name}`;
  const config: AgentConfig = {
    pool: `${pool.namespace}:${pool.name}`,
    // Each pod has its own name, by --pod.
    pod: pool.name,
    listen: { host: '0.0.0.0', port: AGENT_PORT },
    health: { host: '0.0.0.0', port: HEALTH_PORT },
    tls: {
      certFile: file(TLS_FILE_NAMES.cert),
      keyFile: file(TLS_FILE_NAMES.key),
      caFile: file(TLS_FILE_NAMES.ca),
    },
    spec: pool.spec,
    python: pythonOf(pool),
    runDirectory: '/run/replpool/agent',
    ...(pool.spec.isolation.cgroups === 'Delegate' && { delegation: DELEGATION_DIRECTORY }),
    environment: ENVIRONMENT_DIRECTORY,
  };
  const metadata = ownedMetadata(pool);
  const labels = { ...metadata.labels, [REVISION_LABEL]: revision };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, name: configMapName(pool, revision), labels },
    immutable: true,
    data: { [CONFIG_FILE]: JSON.stringify(config) },
  };
}
