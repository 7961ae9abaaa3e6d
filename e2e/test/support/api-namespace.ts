import { randomBytes } from 'node:crypto';
import { ApiClient, isRecord } from '@replpool/kube';
import { kubeConfig } from './cluster.ts';

/** A client without anything between, and a namespace that goes with the test. */
export class TestNamespace implements AsyncDisposable {
  readonly name = `api-${randomBytes(4).toString('hex')}`;
  readonly config = kubeConfig;
  readonly client = new ApiClient(this.config);

  static async create(): Promise<TestNamespace> {
    const it = new TestNamespace();
    await it.client.request({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: it.name } } });
    return it;
  }

  /** Makes or changes a ConfigMap, the cheapest of objects. */
  async write(name: string, data: Record<string, string>, labels: Record<string, string> = {}): Promise<void> {
    const path = `/api/v1/namespaces/${this.name}/configmaps/${name}`;
    const query = { fieldManager: 'test', force: true };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
    await this.client.request({ method: 'PATCH', path, query, body, contentType: 'application/apply-patch+yaml' });
  }

  async delete(name: string): Promise<void> {
    await this.client.request({ method: 'DELETE', path: `/api/v1/namespaces/${this.name}/configmaps/${name}` });
  }

  async list(path: string): Promise<Record<string, unknown>[]> {
    const answer = await this.client.request({ path });
    const items: unknown = isRecord(answer) ? answer.items : [];
    return Array.isArray(items) ? items.filter(isRecord) : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.request({ method: 'DELETE', path: `/api/v1/namespaces/${this.name}` });
    this.client[Symbol.dispose]();
  }
}

/** Resolves once the condition holds; the time only ends a test that fails. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const begin = performance.now();
  while (!(await condition())) {
    if (performance.now() - begin > ms) throw new Error(`not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
