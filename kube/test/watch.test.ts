import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Collection, type CollectionOptions, type KubeObject, resources, WatchMetrics } from '../src/index.ts';
import { changesOf } from '../src/watch/changes.ts';
import { linesOf, parseWatchEvent } from '../src/watch/watch-event.ts';
import { FakeApiServer, listOf, type OpenWatch, pod, until } from './fake-api-server.ts';
import { ManualClock } from './manual-clock.ts';

const log = pino({ level: 'silent' });
const gone = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } };

/** A collection of pods, what its handlers heard, and the clock of its pauses. */
class Watched implements AsyncDisposable {
  readonly heard: string[] = [];
  readonly clock = new ManualClock();
  readonly registry = new Registry();
  readonly collection: Collection<KubeObject>;
  readonly #stop = new AbortController();
  readonly running: Promise<void>;
  readonly server: FakeApiServer;

  constructor(server: FakeApiServer, options: Partial<CollectionOptions<KubeObject>> = {}) {
    this.server = server;
    const say = (what: string, ...objects: KubeObject[]) =>
      this.heard.push([what, ...objects.map(({ metadata: it }) => `${it.name}@${it.resourceVersion}`)].join(' '));
    this.collection = new Collection({
      client: server.client,
      resource: resources.pods,
      parse: (object) => object,
      handlers: {
        added: (now) => say('added', now),
        changed: (before, now) => say('changed', before, now),
        deleted: (before) => say('deleted', before),
      },
      metrics: new WatchMetrics(this.registry, this.clock),
      clock: this.clock,
      log,
      ...options,
    });
    this.running = this.collection.run(this.#stop.signal);
  }

  /** The nth connection, with every pause before it cut short. */
  async watch(nth: number): Promise<OpenWatch> {
    await until(() => {
      if (this.server.watches.length <= nth) this.clock.advance(1_000);
      return this.server.watches.length > nth;
    });
    return this.server.watches[nth] as OpenWatch;
  }

  async heardOf(...expected: string[]): Promise<void> {
    await until(() => this.heard.length >= expected.length);
    assert.deepEqual(this.heard.splice(0), expected);
  }

  async value(name: string, reason?: string): Promise<number | undefined> {
    const found = await this.registry.getSingleMetric(name)?.get();
    return found?.values.find((it) => reason === undefined || it.labels.reason === reason)?.value;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    assert.equal(this.clock.timers, 0, 'a timer was left');
  }
}

describe('a watched collection', () => {
  it('lists, then follows the events of a watch from the list’s version', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', pod('a', '4'), pod('b', '7'));
    await using it = new Watched(server, { namespace: 'ns', labelSelector: 'app=x', fieldSelector: 'spec.nodeName=n' });
    await it.collection.synced;
    await it.heardOf('added a@4', 'added b@7');
    const watch = await it.watch(0);
    assert.equal(watch.resourceVersion, '10');
    assert.equal(watch.query.get('allowWatchBookmarks'), 'true');
    const seconds = Number(watch.query.get('timeoutSeconds'));
    assert.ok(seconds >= 240 && seconds <= 480);
    for (const request of server.requests) {
      assert.match(
        request,
        /^GET \/api\/v1\/namespaces\/ns\/pods\?labelSelector=app%3Dx&fieldSelector=spec.nodeName%3Dn/,
      );
    }
    watch.send({ type: 'ADDED', object: pod('c', '11') });
    watch.send({ type: 'MODIFIED', object: pod('a', '12') });
    watch.send({ type: 'DELETED', object: pod('b', '13') });
    await it.heardOf('added c@11', 'changed a@4 a@12', 'deleted b@13');
    assert.deepEqual([...it.collection.values()].map((p) => p.metadata.name).sort(), ['a', 'c']);
    assert.equal(it.collection.get('ns/a')?.kind, 'Pod');
  });

  it('reads a long list page by page, and whole where the next page is no longer kept', async () => {
    await using server = await FakeApiServer.start();
    server.answer = ({ searchParams: query }) => {
      if (query.has('watch')) return undefined;
      if (query.get('continue') === 'two') return { status: 410, body: { code: 410, reason: 'Expired' } };
      if (query.get('limit') === '500') return listOf('10', [pod('a', '1')], 'two');
      return listOf('11', [pod('a', '1'), pod('b', '2')]);
    };
    await using it = new Watched(server);
    await it.collection.synced;
    assert.equal(it.collection.size, 2);
    assert.equal((await it.watch(0)).resourceVersion, '11');
  });

  it('goes on where it was after a reset, a closed connection and a cut line, by event or bookmark', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', pod('a', '4'));
    await using it = new Watched(server);
    await it.heardOf('added a@4');
    const first = await it.watch(0);
    first.send({ type: 'MODIFIED', object: pod('a', '12') });
    await it.heardOf('changed a@4 a@12');
    first.reset();
    const second = await it.watch(1);
    assert.equal(second.resourceVersion, '12');
    second.send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } });
    second.end();
    const third = await it.watch(2);
    assert.equal(third.resourceVersion, '20');
    third.send('{"type":"MODIFIED","object":{"meta');
    third.reset();
    assert.equal((await it.watch(3)).resourceVersion, '20');
    assert.equal(await it.value('replpool_watch_lists_total'), 1);
    assert.equal(await it.value('replpool_watch_restarts_total', 'closed'), 1);
    assert.equal(await it.value('replpool_watch_restarts_total', 'error'), 2);
  });

  it('lists anew after a 410, and tells only what differs', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', pod('a', '4'), pod('b', '5'), pod('c', '6'), pod('d', '7'));
    await using it = new Watched(server);
    await it.heardOf('added a@4', 'added b@5', 'added c@6', 'added d@7');
    const watch = await it.watch(0);
    server.lists('90', pod('a', '4'), pod('b', '80'), pod('d', '85', 'another'), pod('e', '86'));
    watch.send(gone);
    assert.equal((await it.watch(1)).resourceVersion, '90');
    await it.heardOf('deleted c@6', 'changed b@5 b@80', 'deleted d@7', 'added d@85', 'added e@86');
    assert.equal(await it.value('replpool_watch_lists_total'), 2);
    assert.equal(await it.value('replpool_watch_restarts_total', 'gone'), 1);
  });

  it('lists anew when the watch itself is answered with 410, or five times with another error', async () => {
    await using server = await FakeApiServer.start();
    for (const { status, lists } of [
      { status: 410, lists: 2 },
      { status: 500, lists: 2 },
    ]) {
      let refusals = status === 410 ? 1 : 5;
      server.answer = ({ searchParams: query }) => {
        if (!query.has('watch')) return listOf('10', []);
        refusals -= 1;
        return refusals >= 0 ? { status, body: { code: status } } : undefined;
      };
      await using it = new Watched(server);
      await it.watch(server.watches.length);
      assert.equal(await it.value('replpool_watch_lists_total'), lists);
    }
  });

  it('waits longer from failure to failure, and not at all long after one that worked', async () => {
    await using server = await FakeApiServer.start();
    await using it = new Watched(server, { backoff: { firstMs: 100, longestMs: 1_000, jitter: 0 } });
    for (const [index, ms] of [100, 200, 400, 800, 1_000, 1_000].entries()) {
      await until(() => server.requests.length === index + 1 && it.clock.timers === 1);
      it.clock.advance(ms - 1);
      assert.equal(it.clock.timers, 1);
      it.clock.advance(1);
      assert.equal(it.clock.timers, 0);
    }
    server.lists('10');
    const watch = await it.watch(0);
    watch.end();
    await until(async () => (await it.value('replpool_watch_restarts_total', 'closed')) === 1);
    it.clock.advance(100);
    await until(() => server.watches.length === 2);
  });

  it('gives up a connection that is silent too long, counted from its last word', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10');
    await using it = new Watched(server, { silentMs: 60_000 });
    const first = await it.watch(0);
    it.clock.advance(50_000);
    first.send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '30' } } });
    await until(async () => (await it.value('replpool_watch_last_event_seconds')) === 0);
    it.clock.advance(59_999);
    assert.equal(await it.value('replpool_watch_restarts_total', 'silent'), undefined);
    assert.equal(await it.value('replpool_watch_last_event_seconds'), 59.999);
    it.clock.advance(1);
    assert.equal((await it.watch(1)).resourceVersion, '30');
    assert.equal(await it.value('replpool_watch_restarts_total', 'silent'), 1);
  });

  it('outlives handlers that throw, objects that cannot be read and lines that are no events', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', pod('bad', '1'), pod('good', '2'), { metadata: {} });
    const seen: string[] = [];
    await using it = new Watched(server, {
      parse: (object) => {
        if (object.metadata.name === 'bad') throw new Error('not a pod');
        return object;
      },
      handlers: {
        added: ({ metadata }) => {
          seen.push(metadata.name);
          throw new Error('handler');
        },
      },
    });
    const watch = await it.watch(0);
    watch.send({ type: 'ADDED', object: pod('next', '11') });
    await until(() => it.collection.size === 2);
    watch.send('<html>\n');
    await it.watch(1);
    assert.deepEqual(seen, ['good', 'next']);
    assert.equal(await it.value('replpool_watch_lists_total'), 2);
  });

  it('tells all as changed at each resync', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', pod('a', '1'));
    await using it = new Watched(server, { resyncMs: 60_000 });
    await it.heardOf('added a@1');
    await it.watch(0);
    it.clock.advance(60_000);
    await it.heardOf('changed a@1 a@1');
    it.clock.advance(60_000);
    await it.heardOf('changed a@1 a@1');
  });

  it('ends with its signal, leaving no connection and no timer, and says that it never synced', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10');
    const it = new Watched(server);
    await it.watch(0);
    assert.notEqual(await it.value('replpool_watch_last_event_seconds'), undefined);
    await it.stop();
    assert.equal(await it.value('replpool_watch_last_event_seconds'), undefined, 'what does not run is not stale');
    assert.equal(it.clock.timers, 0);
    await until(() => server.connections <= 1);
    server.answer = () => ({ status: 403, body: { reason: 'Forbidden' } });
    const never = new Watched(server);
    const begun = server.requests.length;
    await until(() => server.requests.length >= begun);
    await never.stop();
    await assert.rejects(never.collection.synced);
  });
});

describe('what a watch says', () => {
  it('is read line by line, whatever the chunks', async () => {
    async function* chunks() {
      yield* ['{"a', '":1}\n{"b":2}\n', '\n{"c', '":3}', '\n{"cut'];
    }
    const lines: string[] = [];
    for await (const line of linesOf(chunks())) lines.push(line);
    assert.deepEqual(lines, ['{"a":1}', '{"b":2}', '{"c":3}']);
  });

  it('is refused where it is no event', () => {
    for (const line of ['{', 'null', '{"type":"NEWS"}', '{"type":"BOOKMARK","object":{}}']) {
      assert.throws(() => parseWatchEvent(line), /SyntaxError|TypeError/);
    }
    assert.throws(() => parseWatchEvent(JSON.stringify(gone)), { name: 'ApiError', status: 410 });
  });

  it('compared with what was known gives nothing where nothing changed', () => {
    const known = { ...pod('a', '1'), kind: 'Pod' };
    assert.deepEqual(changesOf(new Map([['ns/a', known]]), [known]), []);
  });
});
