import type { V1Toleration } from '@kubernetes/client-node';

/** What the node controller taints a node with that is not heard any more. */
const LOST_NODE = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
/** Kubernetes' own default is 300 s; a pool that lost a node would lack its pods for five minutes. */
const LOST_NODE_SECONDS = 30;

/** The pool's own tolerations, and for lost nodes the default where the pool says nothing of them. */
export function tolerationsOf(own: readonly V1Toleration[] = []): V1Toleration[] {
  const missing = LOST_NODE.filter((taint) => !own.some((toleration) => speaksOf(toleration, taint)));
  const defaults = missing.map(
    (key): V1Toleration => ({
      ...{ key, operator: 'Exists', effect: 'NoExecute' },
      tolerationSeconds: LOST_NODE_SECONDS,
    }),
  );
  return [...own, ...defaults];
}

/** As the API server's DefaultTolerationSeconds decides it. */
function speaksOf({ key = '', effect = '' }: V1Toleration, taint: string): boolean {
  return (key === '' || key === taint) && (effect === '' || effect === 'NoExecute');
}
