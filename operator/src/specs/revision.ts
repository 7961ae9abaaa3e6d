import { createHash } from 'node:crypto';
import type { V1Pod } from '@kubernetes/client-node';
import { canonicalJson } from '../canonical-json.ts';
import type { Pool } from './owned.ts';
import { agentPod } from './pod.ts';
import type { PodSettings } from './pod-part.ts';

/** A name for what a pod is made from: ten hexadecimal digits, as a label's value. */
export function revisionOf(pool: Pool, settings: PodSettings): string {
  const pod: V1Pod = agentPod(pool, '', settings);
  const { runtime, templates, sessions, checkpoints, isolation, network } = pool.spec;
  // What the agent reads at its start counts as the pod itself does; how many pods there are, and how they are replaced, does not.
  const config = { runtime, templates, sessions, checkpoints, isolation, network };
  return createHash('sha256')
    .update(canonicalJson({ pod: pod.spec, labels: pod.metadata?.labels, config }))
    .digest('hex')
    .slice(0, 10);
}
