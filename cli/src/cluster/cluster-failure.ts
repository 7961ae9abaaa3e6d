import { ApiError, classify, NoAnswerError } from '@replpool/kube';
import { CommandFailure, serviceFailed, wrongUse } from '../failure.ts';

/** What was asked of the API server, in the words of RBAC. */
export interface Asked {
  readonly verb: 'get' | 'list' | 'patch' | 'create';
  /** With its group and subresource, as `replpools.replpool.dev` or `pods/log`. */
  readonly resource: string;
  /** As `ReplPool`, for people. */
  readonly kind?: string;
  /** Absent: in all namespaces, or the resource has none. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** The failure of a command that an answer of the API server means, or that there was none. */
export function clusterFailure(error: unknown, asked: Asked, server: string): Error {
  if (error instanceof CommandFailure) return error;
  if (error instanceof NoAnswerError) {
    return serviceFailed(
      `the API server ${server} does not answer: ${error.message}`,
      'see whether `kubectl cluster-info` reaches it; --context and --kubeconfig name another',
      error,
    );
  }
  if (!(error instanceof ApiError)) return unauthenticated(error);
  const text = error.message;
  switch (classify(error)) {
    case 'Unauthorized':
      return wrongUse(
        'the API server does not know who you are',
        "the credentials of the kubeconfig's user are missing, wrong or over: log in again, or name another with --context",
        error,
      );
    case 'Forbidden':
      return wrongUse(`you may not ${phrase(asked)} (${text})`, howToBeAllowed(asked), error);
    case 'NotFound':
      return notFound(error, asked);
    case 'Unavailable':
    case 'TooManyRequests':
      return serviceFailed(`the API server cannot ${phrase(asked)} now (${text})`, 'try again in a moment', error);
    default:
      return serviceFailed(`the API server refused to ${phrase(asked)} (${text})`, undefined, error);
  }
}

function notFound(error: ApiError, { resource, kind, namespace, name }: Asked): CommandFailure {
  // What the API server serves not at all is answered by plain text, without a reason.
  if (error.reason === '' && resource.startsWith('replpools.')) {
    return wrongUse(
      'the cluster does not know ReplPools',
      'install ReplPool there (its chart, or `kubectl apply --server-side -f crds/`), or name another cluster with --context',
      error,
    );
  }
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  if (kind === undefined || name === undefined) return wrongUse(`there is no ${resource}${where}`, undefined, error);
  return wrongUse(`there is no ${kind} ${name}${where}`, `\`kubectl get ${resource} -A\` shows what there is`, error);
}

/** Whatever else fails before a request is sent are the kubeconfig's credentials: an exec plugin, a token file, a certificate. */
function unauthenticated(error: unknown): Error {
  if (error instanceof TypeError) return error;
  const why = error instanceof Error ? error.message.trim() : String(error);
  return wrongUse(
    `the credentials of the kubeconfig's user cannot be had: ${why}`,
    'see whether `kubectl auth whoami` works with the same --kubeconfig and --context',
    error,
  );
}

/** `list pods in namespace a`. */
function phrase({ verb, resource, namespace, name }: Asked): string {
  const what = name === undefined ? resource : `${resource} ${name}`;
  return `${verb} ${what} in ${namespace === undefined ? 'the whole cluster' : `namespace ${namespace}`}`;
}

function howToBeAllowed({ verb, resource, namespace }: Asked): string {
  const role = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${namespace}`;
  const check = `kubectl auth can-i ${verb} ${resource} ${namespace === undefined ? '-A' : `-n ${namespace}`}`;
  return `needed: ${role} with the verb ${verb} on ${resource}; \`${check}\` tells whether you have it`;
}
