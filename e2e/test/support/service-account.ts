import { KubeConfig } from '@kubernetes/client-node';
import { apply } from './apply.ts';
import { kubeConfig } from './cluster.ts';
import { kubectl } from './kubectl.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Verbs on the sessions of one pool, as RBAC has them. */
export interface SessionRights {
  readonly pool: string;
  readonly verbs: readonly string[];
}

/** Gives an account of the namespace exactly these rights, in place of what it had. */
export async function grant(namespace: string, account: string, { pool, verbs }: SessionRights): Promise<void> {
  const metadata = { name: account, namespace };
  const rule = { apiGroups: ['replpool.dev'], resources: ['replpools/sessions'], resourceNames: [pool], verbs };
  const subject = { kind: 'ServiceAccount', name: account, namespace };
  await apply(
    namespace,
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata } as object,
    // A rule without verbs is none.
    { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules: verbs.length === 0 ? [] : [rule] } as object,
    {
      ...{ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, subjects: [subject] },
      roleRef: { apiGroup: RBAC, kind: 'Role', name: account },
    } as object,
  );
}

/** An account that may ask the API server who callers are and what they may do, as routers must; its name is the cluster's for the test. */
export class Reviewer implements AsyncDisposable {
  readonly #name: string;
  readonly config: KubeConfig;

  private constructor(name: string, config: KubeConfig) {
    this.#name = name;
    this.config = config;
  }

  static async create(namespace: string): Promise<Reviewer> {
    await kubectl('create', 'serviceaccount', 'router', '-n', namespace);
    const name = `${namespace}-router`;
    const account = `--serviceaccount=${namespace}:router`;
    await kubectl('create', 'clusterrolebinding', name, '--clusterrole=system:auth-delegator', account);
    const config = new KubeConfig();
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    const token = (await kubectl('create', 'token', 'router', '-n', namespace)).trim();
    config.loadFromClusterAndUser(cluster, { name: 'router', token });
    return new Reviewer(name, config);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl('delete', 'clusterrolebinding', this.#name);
  }
}
