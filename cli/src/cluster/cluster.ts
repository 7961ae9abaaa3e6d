import type { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, type Call, list, NoAnswerError, pathOf, type Query, type Resource } from '@replpool/kube';
import { VERSION } from '../version.ts';
import { type Asked, clusterFailure } from './cluster-failure.ts';
import { type KubeConfigOptions, loadKubeConfig } from './kubeconfig.ts';

export interface ClusterOptions extends KubeConfigOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

interface Named {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly subresource?: string;
}

/** The whole collection of a busy cluster takes its time; a person at a terminal would rather know. */
const LIST_MS = 120_000;

/** The cluster that a command speaks to; every error is a CommandFailure. */
export class Cluster implements Disposable {
  readonly config: KubeConfig;
  /** `--namespace`, else the context's, else `default`. */
  readonly namespace: string;
  /** The namespace to list from; undefined with `--all-namespaces`. */
  readonly scope: string | undefined;
  readonly server: string;
  readonly #client: ApiClient;

  private constructor(config: KubeConfig, options: ClusterOptions) {
    this.config = config;
    const { namespace } = config.getContextObject(config.getCurrentContext()) ?? {};
    this.namespace = options.namespace ?? (namespace || 'default');
    this.scope = options.allNamespaces === true ? undefined : this.namespace;
    this.server = config.getCurrentCluster()?.server ?? '';
    this.#client = new ApiClient(config, { userAgent: `kubectl-replpool/${VERSION}` });
  }

  static open(options: ClusterOptions, env: NodeJS.ProcessEnv): Cluster {
    return new Cluster(loadKubeConfig(options, env), options);
  }

  async list(resource: Resource, { namespace, labelSelector, fieldSelector }: Selection = {}): Promise<unknown[]> {
    const query: Query = { labelSelector, fieldSelector };
    const path = pathOf(resource, { namespace });
    const listed = list(this.#client, path, query, AbortSignal.timeout(LIST_MS));
    return [...(await this.#answer(listed, asked('list', resource, { namespace }))).items];
  }

  async get(resource: Resource, place: Named): Promise<unknown> {
    return await this.#answer(this.#client.request({ path: pathOf(resource, place) }), asked('get', resource, place));
  }

  /** Any other path, as `/version`. */
  async read(path: string): Promise<unknown> {
    return await this.#answer(this.#client.request({ path }), { verb: 'get', resource: path });
  }

  async create(resource: Resource, place: Named, body: unknown): Promise<unknown> {
    const call: Call = { method: 'POST', path: pathOf(resource, place), body };
    return await this.#answer(this.#client.request(call), asked('create', resource, place));
  }

  async mergePatch(resource: Resource, place: Named, body: unknown): Promise<unknown> {
    const call: Call = {
      method: 'PATCH',
      path: pathOf(resource, place),
      query: { fieldManager: 'kubectl-replpool' },
      contentType: 'application/merge-patch+json',
      body,
    };
    return await this.#answer(this.#client.request(call), asked('patch', resource, place));
  }

  /** The last bytes of an answer that is text, such as a log; what was before them is dropped as it comes. */
  async tail(call: { path: string; query?: Query; timeoutMs?: number }, what: Asked, bytes: number): Promise<string> {
    const signal = AbortSignal.timeout(call.timeoutMs ?? LIST_MS);
    return await this.#answer(this.#tail({ ...call, signal }, bytes), what);
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #tail(call: Call & { signal: AbortSignal }, bytes: number): Promise<string> {
    const response = await this.#client.stream(call);
    let held: Buffer[] = [];
    let size = 0;
    let whole = true;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        held.push(chunk);
        size += chunk.length;
        // Now and then, so that each byte is copied about twice.
        if (size <= 2 * bytes) continue;
        held = [Buffer.concat(held).subarray(-bytes)];
        size = bytes;
        whole = false;
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new NoAnswerError(`GET ${call.path}: ${why}`, { cause: error });
    }
    const all = Buffer.concat(held);
    if (whole && all.length <= bytes) return all.toString('utf8');
    const kept = all.subarray(-bytes).toString('utf8');
    // Not from the middle of a line, nor of a secret in it, which would not be known as one any more.
    return kept.slice(kept.indexOf('\n') + 1);
  }

  async #answer<T>(promise: Promise<T>, what: Asked): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      throw clusterFailure(error, what, this.server);
    }
  }
}

function asked(verb: Asked['verb'], resource: Resource, place: Partial<Named>): Asked {
  const { plural, group } = resource;
  const subresource = place.subresource === undefined ? '' : `/${place.subresource}`;
  const whole = `${plural}${group === '' ? '' : `.${group}`}${subresource}`;
  return { verb, resource: whole, kind: resource.kind, namespace: place.namespace, name: place.name };
}
