import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly [key: string]: unknown;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/**
 * An API server by node:http for commands that run as processes of their own: it lists and gets what a test put into it, by namespace and label,
 * and says no where the test says so. What a real one decides is tested on a real one, in e2e/.
 */
export class FakeCluster implements AsyncDisposable {
  /** By the path of their collection in all namespaces, as `/api/v1/pods`. */
  readonly objects = new Map<string, FakeObject[]>();
  /** By path: logs and metrics. */
  readonly texts = new Map<string, string>();
  /** Paths that are answered with 403. */
  forbidden: (path: string) => boolean = () => false;
  readonly requests: FakeRequest[] = [];
  readonly folder: string;
  readonly kubeconfig: string;
  readonly #server: Server;

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.folder = folder;
    this.kubeconfig = join(folder, 'kubeconfig');
  }

  static async start(user: object = { token: 'kubeconfig-token' }): Promise<FakeCluster> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const cluster = new FakeCluster(server, await mkdtemp(join(tmpdir(), 'rp-cluster-')));
    server.on('request', async (request, response) => {
      const url = new URL(request.url ?? '', 'http://fake');
      const asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        body: await text(request),
      };
      cluster.requests.push(asked);
      const { status, body } = cluster.#answer(asked);
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const { port } = server.address() as AddressInfo;
    const config = {
      clusters: [{ name: 'fake', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'me', user }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'me', namespace: 'team' } }],
      'current-context': 'fake',
    };
    await writeFile(cluster.kubeconfig, JSON.stringify(config));
    return cluster;
  }

  put(collection: string, ...objects: FakeObject[]): void {
    this.objects.set(collection, [...(this.objects.get(collection) ?? []), ...objects]);
  }

  /** Nobody answers any more. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #answer({ path, query }: FakeRequest): { status: number; body: unknown } {
    if (this.forbidden(path))
      return { status: 403, body: { reason: 'Forbidden', message: `User "me" cannot read ${path}` } };
    const said = this.texts.get(path);
    if (said !== undefined) return { status: 200, body: said };
    if (path === '/version') return { status: 200, body: { gitVersion: 'v1.34.4' } };
    const { namespace, name, all } = this.#find(path) ?? {};
    if (all === undefined) return { status: 404, body: '404 page not found\n' };
    const here = all.filter((it) => namespace === undefined || it.metadata.namespace === namespace);
    if (name === undefined) {
      const items = here.filter((it) => selects(query.get('labelSelector') ?? '', it));
      return { status: 200, body: { metadata: { resourceVersion: '1' }, items } };
    }
    const found = here.find((it) => it.metadata.name === name);
    return found === undefined
      ? { status: 404, body: { reason: 'NotFound', message: `no ${name}` } }
      : { status: 200, body: found };
  }

  #find(path: string): { namespace?: string; name?: string; all: FakeObject[] } | undefined {
    for (const [collection, all] of this.objects) {
      const cut = collection.lastIndexOf('/');
      if (!path.startsWith(collection.slice(0, cut))) continue;
      const place = new RegExp(`^(?:/namespaces/([^/]+))?${collection.slice(cut)}(?:/([^/]+))?$`).exec(path.slice(cut));
      if (place !== null) return { all, ...(place[1] && { namespace: place[1] }), ...(place[2] && { name: place[2] }) };
    }
    return undefined;
  }
}

function selects(selector: string, { metadata: { labels = {} } }: FakeObject): boolean {
  return selector.split(',').every((each) => {
    const [name = '', value] = each.split('=');
    return name === '' || labels[name] === value;
  });
}
