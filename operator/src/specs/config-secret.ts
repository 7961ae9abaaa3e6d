import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { AgentConfig } from '@replpool/protocol';
import { REVISION_LABEL } from './labels.ts';
import { AGENT_PORT, HEALTH_PORT, objectName, ownedMetadata, type Pool } from './owned.ts';

/** A Secret as the operator makes it; it is immutable, for its pods have read it. */
export interface ConfigSecret {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: V1ObjectMeta & { readonly name: string };
  readonly type: 'Opaque';
  readonly immutable: true;
  readonly stringData: Readonly<Record<'agent.json', string>>;
}

/** One Secret a revision: a pod that starts again finds what it started with, whatever the pool became meanwhile. */
export function secretName(pool: Pool, revision: string): string {
  return `${objectName(pool)}-${revision}`;
}

/**
 * What the agents of one revision are started with.
 * @param token what routers and the operator must know to speak to them
 */
export function configSecret(pool: Pool, revision: string, token: string): ConfigSecret {
  const config: AgentConfig = {
    pool: `${pool.namespace}:${pool.name}`,
    // Each pod has its own name, by --pod.
    pod: pool.name,
    listen: { host: '0.0.0.0', port: AGENT_PORT },
    health: { host: '0.0.0.0', port: HEALTH_PORT },
    token,
    spec: pool.spec,
    python: '/opt/replpool/python/bin/python',
    runDirectory: '/run/replpool/agent',
  };
  const metadata = ownedMetadata(pool);
  const labels = { ...metadata.labels, [REVISION_LABEL]: revision };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...metadata, name: secretName(pool, revision), labels },
    type: 'Opaque',
    immutable: true,
    stringData: { 'agent.json': JSON.stringify(config) },
  };
}
