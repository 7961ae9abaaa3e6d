import assert from 'node:assert/strict';
import { ApiClient } from '@replpool/kube';
import { Election, type Ended, leaseStore } from '@replpool/operator';
import { pino } from 'pino';
import { TestNamespace, until } from './support/api-namespace.ts';
import { ApiServerProxy } from './support/api-server-proxy.ts';

const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
/** A third of what the operator takes, or the tests would wait. */
const times = { leaseMs: 5_000, renewMs: 3_300, retryMs: 600 };

/** Candidates of one Lease, each behind its own network; it fails the test that two of them work at once. */
class Candidates implements AsyncDisposable {
  readonly working = new Set<string>();
  readonly twice: string[] = [];
  readonly #at: TestNamespace;
  readonly #ends: (() => Promise<void>)[] = [];

  constructor(at: TestNamespace) {
    this.#at = at;
  }

  async add(name: string) {
    const proxy = await ApiServerProxy.start(this.#at.config);
    const client = new ApiClient(proxy.configOf(this.#at.config));
    const election = new Election({ store: leaseStore(client, this.#at.name, 'operator'), me: name, log, times });
    const stop = new AbortController();
    const running: Promise<Ended> = election.lead(stop.signal, async (signal) => {
      this.working.add(name);
      if (this.working.size > 1) this.twice.push([...this.working].join());
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      this.working.delete(name);
    });
    this.#ends.push(async () => {
      stop.abort();
      await running;
      client[Symbol.dispose]();
      await proxy[Symbol.asyncDispose]();
    });
    return { proxy, stop, running };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
    assert.deepEqual(this.twice, [], 'two led at once');
  }
}

describe('leader election at a real API server', () => {
  it('hands over at once when the leader stops', async () => {
    await using at = await TestNamespace.create();
    await using all = new Candidates(at);
    const a = await all.add('a');
    await until(() => all.working.has('a'));
    await all.add('b');
    a.stop.abort();
    assert.equal(await a.running, 'stopped');
    await until(() => all.working.has('b'));
  });

  for (const how of ['stall', 'refuse'] as const) {
    it(`goes to another when the leader's network ${how}s, and never to both`, async () => {
      await using at = await TestNamespace.create();
      await using all = new Candidates(at);
      const a = await all.add('a');
      await until(() => all.working.has('a'));
      await all.add('b');
      a.proxy[how]();
      assert.equal(await a.running, 'lost');
      await until(() => all.working.has('b'));
      a.proxy.open();
    });
  }

  it('keeps its leader through connections that are reset', async () => {
    await using at = await TestNamespace.create();
    await using all = new Candidates(at);
    const a = await all.add('a');
    await until(() => all.working.has('a'));
    await all.add('b');
    for (let count = 0; count < 5; count++) {
      const before = a.proxy.accepted;
      a.proxy.reset();
      await until(() => a.proxy.accepted > before);
    }
    assert.deepEqual([...all.working], ['a']);
  });

  it('has one leader of five that come at once', async () => {
    await using at = await TestNamespace.create();
    await using all = new Candidates(at);
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => all.add(name)));
    await until(() => all.working.size === 1);
  });
});
