import assert from 'node:assert/strict';
import {
  ApiClient,
  Collection,
  type CollectionOptions,
  isRecord,
  type KubeObject,
  resources,
  systemClock,
  WatchMetrics,
  watchOnce,
} from '@replpool/kube';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { TestNamespace, until } from './support/api-namespace.ts';
import { ApiServerProxy } from './support/api-server-proxy.ts';

const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

/** A collection of ConfigMaps behind a proxy. Every state of `value` that it was told of is in `told`. */
class Behind implements AsyncDisposable {
  readonly told: string[] = [];
  readonly #client: ApiClient;
  readonly #stop = new AbortController();
  readonly collection: Collection<KubeObject>;
  readonly registry = new Registry();
  readonly #running: Promise<void>;

  constructor(at: TestNamespace, proxy: ApiServerProxy, options: Partial<CollectionOptions<KubeObject>> = {}) {
    this.#client = new ApiClient(proxy.configOf(at.config));
    const tell = (what: string, it: KubeObject) => this.told.push(`${what} ${it.metadata.name}=${dataOf(it)}`);
    this.collection = new Collection({
      client: this.#client,
      resource: resources.configMaps,
      namespace: at.name,
      labelSelector: 'kind=watched',
      parse: (object) => object,
      handlers: {
        added: (now) => tell('added', now),
        changed: (_, now) => tell('changed', now),
        deleted: (before) => tell('deleted', before),
      },
      metrics: new WatchMetrics(this.registry, systemClock),
      log,
      ...options,
    });
    this.#running = this.collection.run(this.#stop.signal);
  }

  async count(name: string, reason?: string): Promise<number> {
    const found = await this.registry.getSingleMetric(name)?.get();
    return found?.values.find((it) => reason === undefined || it.labels.reason === reason)?.value ?? 0;
  }

  async saw(text: string): Promise<void> {
    await until(() => this.told.includes(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#client[Symbol.dispose]();
  }
}

function dataOf(object: KubeObject): unknown {
  return isRecord(object.data) ? object.data.value : undefined;
}

describe('a watch of a real API server', () => {
  const watched = { kind: 'watched' };

  it('misses nothing and repeats nothing through resets, and never lists again', async () => {
    await using at = await TestNamespace.create();
    await using proxy = await ApiServerProxy.start(at.config);
    await at.write('a', { value: '0' }, watched);
    await using it = new Behind(at, proxy);
    await it.collection.synced;
    for (let value = 1; value <= 20; value++) {
      if (value % 4 === 0) proxy.reset();
      await at.write('a', { value: String(value) }, watched);
    }
    await it.saw('changed a=20');
    assert.deepEqual(it.told, ['added a=0', ...Array.from({ length: 20 }, (_, index) => `changed a=${index + 1}`)]);
    assert.equal(await it.count('replpool_watch_lists_total'), 1);
    await at.delete('a');
    await it.saw('deleted a=20');
    assert.equal(it.collection.size, 0);
  });

  it('comes back after an API server that was not there for a while', async () => {
    await using at = await TestNamespace.create();
    await using proxy = await ApiServerProxy.start(at.config);
    await at.write('a', { value: '0' }, watched);
    await using it = new Behind(at, proxy);
    await it.collection.synced;
    proxy.refuse();
    await at.write('b', { value: '1' }, watched);
    await at.delete('a');
    await until(async () => (await it.count('replpool_watch_restarts_total', 'error')) >= 4);
    assert.deepEqual(it.told, ['added a=0']);
    proxy.open();
    await it.saw('deleted a=0');
    assert.deepEqual(it.told, ['added a=0', 'added b=1', 'deleted a=0']);
  });

  it('leaves a connection that stalls without a word', async () => {
    await using at = await TestNamespace.create();
    await using proxy = await ApiServerProxy.start(at.config);
    await at.write('a', { value: '0' }, watched);
    await using it = new Behind(at, proxy, { silentMs: 3_000 });
    await it.collection.synced;
    await at.write('a', { value: '1' }, watched);
    await it.saw('changed a=1');
    proxy.stall();
    await at.write('a', { value: '2' }, watched);
    await until(async () => (await it.count('replpool_watch_restarts_total', 'silent')) > 0);
    proxy.open();
    await it.saw('changed a=2');
    assert.deepEqual(it.told, ['added a=0', 'changed a=1', 'changed a=2']);
  });

  it('tells what no longer matches its selector as deleted, and lists more than a page', async function () {
    this.timeout(120_000);
    await using at = await TestNamespace.create();
    await using proxy = await ApiServerProxy.start(at.config);
    const names = Array.from({ length: 1_100 }, (_, index) => `n${index}`);
    for (let begin = 0; begin < names.length; begin += 50) {
      await Promise.all(names.slice(begin, begin + 50).map((name) => at.write(name, { value: 'x' }, watched)));
    }
    await using it = new Behind(at, proxy);
    await it.collection.synced;
    assert.equal(it.collection.size, 1_100);
    await at.write('n7', { value: 'x' }, { kind: 'other' });
    await it.saw('deleted n7=x');
    assert.equal(it.collection.size, 1_099);
  });

  it('ends without leaving a connection behind', async () => {
    await using at = await TestNamespace.create();
    await using proxy = await ApiServerProxy.start(at.config);
    {
      await using it = new Behind(at, proxy);
      await it.collection.synced;
      await until(() => proxy.connections > 0);
    }
    await until(() => proxy.connections === 0);
  });

  it('is told 410 of a version that is no longer kept', async () => {
    await using at = await TestNamespace.create();
    // The history of a kind begins with its definition, so version 1 lies before that of a new one.
    const group = `${at.name}.test`;
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await at.client.request({ method: 'POST', path: definitions, body: definition });
    try {
      const path = `/apis/${group}/v1/things`;
      await until(() =>
        at.client.request({ path }).then(
          () => true,
          () => false,
        ),
      );
      const events = watchOnce({
        client: at.client,
        path,
        query: {},
        resourceVersion: '1',
        clock: systemClock,
        silentMs: 30_000,
        random: Math.random,
        signal: AbortSignal.timeout(20_000),
      });
      await assert.rejects(events.next(), { name: 'ApiError', status: 410 });
    } finally {
      await at.client.request({ method: 'DELETE', path: `${definitions}/things.${group}` });
    }
  });
});
