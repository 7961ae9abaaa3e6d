import assert from 'node:assert/strict';
import fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { ManualClock, turn } from '../../kube/test/manual-clock.ts';
import { QueueMetrics, RateLimiter, ReconcileMetrics, runWorkers, WorkQueue } from '../src/index.ts';

const log = pino({ level: 'silent' });
const plain = { perKey: { firstMs: 5, longestMs: 1_000_000, jitter: 0 } };

function make() {
  const registry = new Registry();
  const clock = new ManualClock();
  const queue = new WorkQueue({ name: 'pools', metrics: new QueueMetrics(registry), clock, rateLimit: plain });
  return { registry, clock, queue, metrics: new ReconcileMetrics(registry) };
}

describe('the work queue', () => {
  it('hands out a key once, however often it was added', async () => {
    const { queue } = make();
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    assert.deepEqual([await queue.next(), await queue.next()], ['a', 'b']);
    const third = queue.next();
    queue.add('c');
    assert.equal(await third, 'c');
  });

  it('gives a key that is added while in work once more, and not before its work ended', async () => {
    const { queue } = make();
    queue.add('a');
    await queue.next();
    queue.add('a');
    queue.add('a');
    const next = queue.next();
    queue.add('b');
    assert.equal(await next, 'b');
    const again = queue.next();
    queue.done('a');
    assert.equal(await again, 'a');
    queue.done('a');
    queue.done('b');
    queue.add('c');
    assert.equal(await queue.next(), 'c');
  });

  it('of several delays of a key takes the earliest', async () => {
    const { queue, clock } = make();
    queue.addAfter('a', 100);
    queue.addAfter('a', 10);
    queue.addAfter('a', 50);
    assert.equal(clock.timers, 1);
    clock.advance(9);
    queue.add('b');
    assert.equal(await queue.next(), 'b');
    clock.advance(1);
    assert.equal(await queue.next(), 'a');
    assert.equal(clock.timers, 0);
  });

  it('takes no delay that is no time, which a timer would take for none', async () => {
    const { queue, clock, metrics } = make();
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => queue.addAfter('a', ms), RangeError);
    const stop = new AbortController();
    const looks: string[] = [];
    const reconcile = async (key: string) => {
      looks.push(key);
      return { againAfterMs: Number.NaN };
    };
    const running = runWorkers({ queue, workers: 1, reconcile, metrics, log, signal: stop.signal });
    queue.add('a');
    await clock.pass(1_000, 1);
    // With the backoff of a failure: after 5, 10, 20, …, 640 ms.
    assert.equal(looks.length, 8);
    stop.abort();
    await running;
  });

  it('backs a failing key off, doubling to 1,000 s, until it is forgotten', () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter(clock, { ...plain, perSecond: 1e9 });
    const delays = Array.from({ length: 20 }, () => limiter.delayMs('a'));
    assert.deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
    assert.deepEqual(delays.slice(-2), [1_000_000, 1_000_000]);
    assert.equal(limiter.delayMs('b'), 5);
    limiter.forget('a');
    assert.equal(limiter.delayMs('a'), 5);
  });

  it('spreads what many keys retry at once by one bucket: 100 at once, then 10 a second', () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter(clock, plain);
    const delays = Array.from({ length: 120 }, (_, index) => limiter.delayMs(`key-${index}`));
    assert.ok(delays.slice(0, 100).every((ms) => ms === 5));
    assert.deepEqual([delays[100], delays[101], delays[119]], [100, 200, 2000]);
    clock.advance(12_000);
    assert.equal(limiter.delayMs('late'), 5);
  });

  it('tells its state under client-go’s names', async () => {
    const { queue, clock, registry } = make();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    clock.advance(2_000);
    await queue.next();
    clock.advance(3_000);
    await queue.next();
    clock.advance(1_000);
    queue.addRateLimited('d');
    const value = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values.at(-1)?.value;
    assert.equal(await value('workqueue_depth'), 1);
    assert.equal(await value('workqueue_adds_total'), 3);
    assert.equal(await value('workqueue_retries_total'), 1);
    assert.equal(await value('workqueue_unfinished_work_seconds'), 5);
    assert.equal(await value('workqueue_longest_running_processor_seconds'), 4);
    queue.done('a');
    const text = await registry.metrics();
    assert.match(text, /workqueue_queue_duration_seconds_sum\{name="pools"\} 7\n/);
    assert.match(text, /workqueue_work_duration_seconds_sum\{name="pools"\} 4\n/);
  });

  it('never has a key in work twice, and works on every one after its last change', async () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ later: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(30) }),
      fc.record({ pass: fc.nat(40) }),
      fc.record({ finish: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
        const { queue, clock, metrics } = make();
        const stop = new AbortController();
        const version = new Map<string, number>();
        const seen = new Map<string, number>();
        const open = new Map<string, PromiseWithResolvers<void>>();
        const change = (key: string) => version.set(key, (version.get(key) ?? 0) + 1);
        const reconcile = async (key: string) => {
          assert.ok(!open.has(key), `${key} is in work twice`);
          const end = Promise.withResolvers<void>();
          open.set(key, end);
          const found = version.get(key) ?? 0;
          await end.promise.finally(() => open.delete(key));
          seen.set(key, found);
          return {};
        };
        const running = runWorkers({ queue, workers, reconcile, metrics, log, signal: stop.signal });
        for (const it of steps) {
          if ('add' in it) {
            change(it.add);
            queue.add(it.add);
          } else if ('later' in it) {
            change(it.later);
            queue.addAfter(it.later, it.ms);
          } else if ('pass' in it) clock.advance(it.pass);
          else if (it.fails) open.get(it.finish)?.reject(new Error('failed'));
          else open.get(it.finish)?.resolve();
          await turn();
        }
        for (let round = 0; round < 100 && (clock.timers > 0 || open.size > 0); round++) {
          for (const { resolve } of [...open.values()]) resolve();
          clock.advance(1_000);
          await turn();
        }
        assert.deepEqual(
          seen,
          version.size === 0 ? new Map() : new Map([...seen.keys()].map((k) => [k, version.get(k)])),
        );
        assert.equal(seen.size, version.size);
        stop.abort();
        await running;
      }),
      { numRuns: 100 },
    );
  });
});

describe('the workers of a queue', () => {
  it('retry what throws after its backoff and go on with the rest', async () => {
    const { queue, clock, metrics } = make();
    const stop = new AbortController();
    const done: string[] = [];
    const reconcile = async (key: string) => {
      done.push(key);
      if (key === 'bad' && done.filter((it) => it === 'bad').length < 3) throw new Error('no');
      return {};
    };
    const running = runWorkers({ queue, workers: 1, reconcile, metrics, log, signal: stop.signal });
    queue.add('bad');
    queue.add('good');
    await turn();
    assert.deepEqual(done, ['bad', 'good']);
    clock.advance(5);
    await turn();
    clock.advance(9);
    await turn();
    assert.equal(done.length, 3);
    clock.advance(1);
    await turn();
    assert.deepEqual(done, ['bad', 'good', 'bad', 'bad']);
    assert.equal(queue.failures('bad'), 0);
    stop.abort();
    await running;
  });

  it('call a reconcile again after the time it asks for', async () => {
    const { queue, clock, metrics } = make();
    const stop = new AbortController();
    let calls = 0;
    const reconcile = async () => {
      calls += 1;
      return { againAfterMs: 5_000 };
    };
    const running = runWorkers({ queue, workers: 2, reconcile, metrics, log, signal: stop.signal });
    queue.add('a');
    await turn();
    await clock.pass(10_000, 1_000);
    assert.equal(calls, 3);
    stop.abort();
    await running;
    assert.equal(clock.timers, 0);
  });

  it('end by the signal: what is in work hears it and is waited for, nothing else is begun', async () => {
    const { queue, clock, metrics } = make();
    const stop = new AbortController();
    const begun: string[] = [];
    const end = Promise.withResolvers<void>();
    let heard = false;
    const reconcile = async (key: string, signal: AbortSignal) => {
      begun.push(key);
      await end.promise;
      heard = signal.aborted;
      return {};
    };
    let ended = false;
    const running = runWorkers({ queue, workers: 1, reconcile, metrics, log, signal: stop.signal }).then(() => {
      ended = true;
    });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    await turn();
    stop.abort();
    await turn();
    assert.equal(ended, false);
    end.resolve();
    await running;
    assert.ok(heard);
    assert.deepEqual(begun, ['a']);
    assert.equal(clock.timers, 0);
  });

  it('are counted under the names of controller-runtime', async () => {
    const { queue, clock, metrics, registry } = make();
    const stop = new AbortController();
    const end = Promise.withResolvers<void>();
    const reconcile = async (key: string) => {
      if (key === 'throws') throw new Error('no');
      if (key === 'fails') return { failed: 'no quota' };
      if (key === 'waits') await end.promise;
      return key === 'later' ? { againAfterMs: 60_000 } : {};
    };
    const running = runWorkers({ queue, workers: 2, reconcile, metrics, log, signal: stop.signal });
    for (const key of ['throws', 'fails', 'later', 'good', 'waits']) queue.add(key);
    await turn();
    await turn();
    const read = async (name: string, labels = '') => {
      const line = (await registry.metrics())
        .split('\n')
        .find((it) => it.startsWith(`${name}{controller="pools"${labels}}`));
      return Number(line?.split(' ').at(-1));
    };
    const total = (result: string) => read('controller_runtime_reconcile_total', `,result="${result}"`);
    assert.deepEqual([await total('success'), await total('error'), await total('requeue_after')], [1, 2, 1]);
    assert.equal(await read('controller_runtime_reconcile_errors_total'), 2);
    assert.equal(await read('controller_runtime_active_workers'), 1);
    assert.equal(await read('controller_runtime_max_concurrent_reconciles'), 2);
    assert.equal(await read('controller_runtime_reconcile_time_seconds_count'), 4);
    assert.deepEqual([queue.failures('fails'), queue.failures('throws'), queue.failures('good')], [1, 1, 0]);
    stop.abort();
    end.resolve();
    await running;
    assert.equal(clock.timers, 0);
  });
});
