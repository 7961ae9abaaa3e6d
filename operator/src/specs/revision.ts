import { createHash } from 'node:crypto';
import type { V1Pod } from '@kubernetes/client-node';
import { canonicalJson } from '../canonical-json.ts';
import type { Pool } from './owned.ts';
import { agentPod } from './pod.ts';
import type { PodSettings } from './pod-part.ts';

/** A name for what a pod is made from: ten hexadecimal digits, as a label's value. */
export function revisionOf(pool: Pool, settings: PodSettings): string {
  const { metadata, spec }: V1Pod = agentPod(pool, '', settings);
  const { labels, annotations } = metadata ?? {};
  const { runtime, templates, sessions, checkpoints, isolation, network } = pool.spec;
  // What the agent reads at its start counts as the pod itself does, and so does drainSeconds, which is the pod's grace. How many pods there
  // are does not, nor how many of them an update takes at a time.
  const config = { runtime, templates, sessions, checkpoints, isolation, network };
  return createHash('sha256')
    .update(canonicalJson({ pod: spec, labels, annotations, config }))
    .digest('hex')
    .slice(0, 10);
}
