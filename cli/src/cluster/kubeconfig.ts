import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { wrongUse } from '../failure.ts';

export interface KubeConfigOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

const IN_CLUSTER_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * As kubectl finds it: `--kubeconfig`, else the files of `$KUBECONFIG` as far as they are there, else `~/.kube/config`, else a pod's own
 * service account. Not client-node's loadFromDefault: it fails on a file that is missing and on a name that two files have, and where it
 * finds nothing it takes http://localhost:8080.
 */
export function loadKubeConfig({ kubeconfig, context }: KubeConfigOptions, env: NodeJS.ProcessEnv): KubeConfig {
  const config = readKubeConfig(kubeconfig, env);
  if (context !== undefined) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      throw wrongUse(`the kubeconfig has no context '${context}'`, `it has: ${names.join(', ') || 'none'}`);
    }
    config.setCurrentContext(context);
  }
  if (config.getCurrentCluster() === null) {
    throw wrongUse(
      'the kubeconfig names no current context with a cluster',
      'name one with --context, or make one current with `kubectl config use-context NAME`',
    );
  }
  return config;
}

function readKubeConfig(kubeconfig: string | undefined, env: NodeJS.ProcessEnv): KubeConfig {
  const named = kubeconfig === undefined ? (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean) : [kubeconfig];
  const files = named.length > 0 ? named : [join(env.HOME ?? homedir(), '.kube', 'config')];
  const found = files.filter((file) => existsSync(file));
  if (found.length > 0) return merged(found.map(readFile));
  if (named.length === 0 && env.KUBERNETES_SERVICE_HOST !== undefined && existsSync(IN_CLUSTER_TOKEN)) {
    const own = new KubeConfig();
    own.loadFromCluster();
    return own;
  }
  throw wrongUse(`there is no kubeconfig at ${files.join(', ')}`, 'name one with --kubeconfig or $KUBECONFIG');
}

function readFile(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw wrongUse(`cannot read the kubeconfig ${file}: ${why}`, undefined, error);
  }
  return config;
}

/** Of two entries with one name the first counts, as for kubectl. */
function merged(configs: readonly KubeConfig[]): KubeConfig {
  const all = new KubeConfig();
  all.loadFromOptions({
    clusters: firstByName(configs.flatMap((config) => config.getClusters())),
    users: firstByName(configs.flatMap((config) => config.getUsers())),
    contexts: firstByName(configs.flatMap((config) => config.getContexts())),
    currentContext: configs.map((config) => config.getCurrentContext()).find(Boolean) ?? '',
  });
  return all;
}

function firstByName<T extends { readonly name: string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values()].toReversed();
}
