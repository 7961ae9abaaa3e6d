import type { V1Container, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { Pool } from './owned.ts';
import type { Release } from './tls-secrets.ts';

/** What a release says of all pods. */
export interface PodSettings {
  /** Of a pool that names none. */
  readonly agentImage: string;
  /** Whether pools may ask for `isolation.cgroups: Privileged`. */
  readonly allowPrivileged?: boolean;
  /** Whose Secrets are in no session. */
  readonly release?: Release;
}

/** What one concern adds to a pod. */
export interface PodPart {
  /** They start in this order, and before the agent. */
  readonly initContainers?: readonly V1Container[];
  readonly volumes: readonly V1Volume[];
  /** Of the agent's container. */
  readonly mounts: readonly V1VolumeMount[];
}

/** The pool's own image, else the release's. */
export function imageOf({ spec }: Pool, { agentImage }: PodSettings): string {
  return spec.runtime.image === '' ? agentImage : spec.runtime.image;
}
