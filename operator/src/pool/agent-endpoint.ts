import { type AgentEndpoint, agentUrl } from '@replpool/protocol';
import type { Pool } from '../specs/owned.ts';
import type { PodObject } from './pod-object.ts';

/** Where the agent of a pod is found; undefined while the pod has no address, or does not run. */
export function agentEndpoint({ namespace, name }: Pool, { metadata, status }: PodObject): AgentEndpoint | undefined {
  const { podIP, phase } = status ?? {};
  if (podIP === undefined || phase !== 'Running') return undefined;
  return { pod: metadata.name, pool: `${namespace}:${name}`, url: agentUrl(podIP) };
}
