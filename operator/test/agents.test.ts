import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentEndpoint, type AgentLinkMessage, INTERNAL_DRAIN_PATH } from '@replpool/protocol';
import type { TlsSource } from '@replpool/service';
import { pino } from 'pino';
import { until } from '../../kube/test/fake-api-server.ts';
import { ManualClock } from '../../kube/test/manual-clock.ts';
import { Agents, type AgentsOptions } from '../src/agents/agents.ts';

const UID = 'u-1';
const me = { pod: 'data-1', pool: 'team:data' };
const readiness = (active: number) => ({
  ...{ ready: true, draining: false },
  capacity: { sessions: 32, active, busy: 0, warm: 0, free: 32 - active, hits: 0, misses: 0 },
});
const snapshotOf = (who: typeof me, active: number): AgentLinkMessage => ({
  ...{ type: 'snapshot', ...who, ...readiness(active), sessions: [] },
});
/** Agents without TLS are asked here, so nobody needs a certificate. */
const noTls: TlsSource = {
  get context(): never {
    throw new Error('the agents of this test have no TLS');
  },
};

/** What answers at the address of an agent, and says what a test lets it say. */
async function start(bounds: Pick<AgentsOptions, 'streams' | 'asksPerSecond' | 'clock'> = {}) {
  const streams: ServerResponse[] = [];
  const orders: string[] = [];
  /** What orders to drain wait for before they are answered. */
  const it = { answers: Promise.resolve() };
  const server = createServer(async (request, response) => {
    const url = request.url ?? '';
    if (!url.startsWith(INTERNAL_DRAIN_PATH)) {
      response.writeHead(200).flushHeaders();
      streams.push(response);
      return;
    }
    orders.push(url);
    await it.answers;
    response.writeHead(url.endsWith(`pod=${me.pod}`) ? 200 : 400).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  let changes = 0;
  const warned: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => warned.push(line) });
  const changed = () => {
    changes += 1;
  };
  const agents = new Agents({ log, tls: noTls, changed, ...bounds });
  const { port } = server.address() as AddressInfo;
  const listen = (pod = me.pod, { uid = UID, isNeeded = false, host = '127.0.0.1' } = {}) => {
    const endpoint: AgentEndpoint = { ...me, pod, url: `http://${host}:${port}` };
    agents.listen(uid, endpoint, isNeeded);
  };
  const say = (message: AgentLinkMessage) => streams.at(-1)?.write(`${JSON.stringify(message)}\n`);
  const close = async () => {
    agents[Symbol.dispose]();
    server.close();
    server.closeAllConnections();
  };
  const seen = { agents, streams, orders, warned, changes: () => changes };
  return Object.assign(it, { ...seen, listen, say, [Symbol.asyncDispose]: close });
}

describe('the agents that the operator hears', () => {
  it('have the load that they tell', async () => {
    await using it = await start();
    it.listen();
    await until(() => it.streams.length === 1);
    it.say(snapshotOf(me, 3));
    await until(() => it.agents.loadOf(UID)?.sessions === 3);
    it.say({ type: 'capacity', ...readiness(4) });
    await until(() => it.agents.loadOf(UID)?.sessions === 4);
  });

  for (const other of [
    { ...me, pod: 'data-2' },
    { ...me, pool: 'team:other' },
  ]) {
    it(`are not ${other.pod} of ${other.pool}, which answers at the address that was theirs`, async () => {
      await using it = await start();
      it.listen();
      await until(() => it.streams.length === 1);
      it.say(snapshotOf(me, 3));
      await until(() => it.agents.loadOf(UID)?.sessions === 3);
      it.streams[0]?.destroy();
      await until(() => it.streams.length === 2);
      assert.equal(it.agents.loadOf(UID), undefined);
      const before = it.changes();
      it.say(snapshotOf(other, 0));
      it.say({ type: 'capacity', ...readiness(0) });
      // What comes on a connection is taken in order: the third word was heard, so the two before were.
      it.say(snapshotOf(me, 5));
      await until(() => it.agents.loadOf(UID)?.sessions === 5);
      assert.equal(it.changes(), before + 1);
    });
  }

  it('are awaited until they say something, and again when they are not heard any more', async () => {
    await using it = await start();
    it.listen();
    assert.ok(it.agents.isAwaited(UID));
    await until(() => it.streams.length === 1);
    const before = it.changes();
    it.say(snapshotOf(me, 3));
    await until(() => !it.agents.isAwaited(UID));
    assert.equal(it.changes(), before + 1);
    it.streams[0]?.destroy();
    await until(() => it.agents.isAwaited(UID));
    assert.equal(it.agents.loadOf(UID), undefined);
  });

  describe('where there are more than streams may be', () => {
    /** The streams and questions that have not ended, by the name that they asked for. */
    const open = (streams: readonly ServerResponse[]) =>
      streams.filter(({ closed }) => !closed).map(({ req }) => req.headers.host?.split(':')[0]);
    const answer = (streams: readonly ServerResponse[], message: AgentLinkMessage) =>
      streams
        .filter(({ closed }) => !closed)
        .at(-1)
        ?.write(`${JSON.stringify(message)}\n`);

    it('are asked in turn, and have the load that they answer', async () => {
      await using it = await start({ streams: 0 });
      it.listen();
      await until(() => it.streams.length === 1);
      it.say(snapshotOf(me, 2));
      await until(() => it.agents.loadOf(UID)?.sessions === 2);
      assert.ok(!it.agents.isAwaited(UID));
      await until(() => open(it.streams).length === 0);
    });

    it('have no load where they do not answer, nor where another pod does', async () => {
      await using it = await start({ streams: 0 });
      it.listen();
      await until(() => it.streams.length === 1);
      it.say(snapshotOf({ ...me, pod: 'data-2' }, 2));
      await until(() => it.warned.length === 1);
      assert.equal(it.agents.loadOf(UID), undefined);
      assert.match(it.warned[0] ?? '', /another pod answers/);
    });

    it('have a stream where they are needed, in place of one that is not', async () => {
      await using it = await start({ streams: 1, asksPerSecond: 1 });
      it.listen(me.pod, { uid: 'u-1', host: '127.0.0.1' });
      await until(() => open(it.streams).join() === '127.0.0.1');
      answer(it.streams, snapshotOf(me, 1));
      await until(() => !it.agents.isAwaited('u-1'));
      it.listen('data-2', { uid: 'u-2', host: 'localhost', isNeeded: true });
      await until(() => open(it.streams).join() === 'localhost');
      assert.ok(it.agents.isAwaited('u-2'));
      answer(it.streams, snapshotOf({ ...me, pod: 'data-2' }, 4));
      await until(() => it.agents.loadOf('u-2')?.sessions === 4);
      assert.equal(it.agents.loadOf('u-1')?.sessions, 1, 'it said so last');
      // What it said before is old for who has to choose.
      it.listen(me.pod, { uid: 'u-1', host: '127.0.0.1', isNeeded: true });
      assert.ok(it.agents.isAwaited('u-1'));
      assert.deepEqual(open(it.streams), ['localhost'], 'both are needed, and one stream may be');
      await until(() => open(it.streams).includes('127.0.0.1'));
      answer(it.streams, snapshotOf(me, 7));
      await until(() => it.agents.loadOf('u-1')?.sessions === 7 && !it.agents.isAwaited('u-1'));
      it.agents.forget('u-2');
      it.listen(me.pod, { uid: 'u-1', host: '127.0.0.1', isNeeded: true });
      await until(() => open(it.streams).join() === '127.0.0.1');
    });

    it('are awaited until their turn has come, however long it takes, and again once their answer is old', async () => {
      const clock = new ManualClock();
      await using it = await start({ streams: 0, asksPerSecond: 5, clock });
      it.listen(me.pod, { isNeeded: true });
      clock.advance(60_000);
      assert.ok(it.agents.isAwaited(UID), 'nobody asked it yet');
      await until(() => it.streams.length === 1);
      it.say(snapshotOf(me, 2));
      await until(() => !it.agents.isAwaited(UID));
      assert.equal(it.agents.loadOf(UID)?.sessions, 2);
      const before = it.changes();
      clock.advance(60_000);
      assert.ok(it.agents.isAwaited(UID));
      await until(() => it.streams.length === 2);
      it.say(snapshotOf(me, 2));
      await until(() => !it.agents.isAwaited(UID));
      assert.equal(it.changes(), before + 1, 'who waits for it hears that it says the same');
    });

    it('are awaited no longer once they were asked in vain', async () => {
      await using it = await start({ streams: 0 });
      it.listen(me.pod, { isNeeded: true });
      await until(() => it.streams.length === 1);
      assert.ok(it.agents.isAwaited(UID));
      it.streams[0]?.destroy();
      await until(() => !it.agents.isAwaited(UID), 4_000);
      assert.equal(it.agents.loadOf(UID), undefined);
      assert.equal(it.changes(), 1);
    });

    it('are not awaited anew for a pool that comes to rest for a moment again and again', async () => {
      const clock = new ManualClock();
      await using it = await start({ streams: 0, clock });
      it.listen(me.pod, { isNeeded: true });
      await until(() => it.streams.length === 1);
      it.say(snapshotOf(me, 2));
      await until(() => !it.agents.isAwaited(UID));
      for (const isNeeded of [false, true, false, true]) {
        clock.advance(1_000);
        it.listen(me.pod, { isNeeded });
        assert.ok(!it.agents.isAwaited(UID));
      }
      it.listen(me.pod, { isNeeded: false });
      clock.advance(60_000);
      it.listen(me.pod, { isNeeded: true });
      assert.ok(it.agents.isAwaited(UID));
    });

    it('do not wait behind one that was asked a moment ago', async () => {
      await using it = await start({ streams: 0 });
      it.listen();
      await until(() => it.streams.length === 1);
      it.say(snapshotOf(me, 2));
      await until(() => it.agents.loadOf(UID) !== undefined && open(it.streams).length === 0);
      it.listen(me.pod, { isNeeded: true });
      it.listen('data-2', { uid: 'u-2', isNeeded: true, host: 'localhost' });
      await until(() => it.streams.length === 2);
      assert.deepEqual(open(it.streams), ['localhost']);
    });

    it('are heard by the stream that they have by now, and not by a late answer', async () => {
      await using it = await start({ streams: 1 });
      it.listen('data-2', { uid: 'u-2', isNeeded: true, host: 'localhost' });
      it.listen(me.pod, { isNeeded: true });
      await until(() => open(it.streams).includes('127.0.0.1'));
      const asked = it.streams.find(({ req }) => req.headers.host?.startsWith('127.0.0.1'));
      it.agents.forget('u-2');
      it.listen(me.pod, { isNeeded: true });
      await until(() => it.streams.length === 3);
      it.say(snapshotOf(me, 5));
      await until(() => it.agents.loadOf(UID)?.sessions === 5);
      asked?.write(`${JSON.stringify(snapshotOf(me, 0))}\n`);
      await until(() => asked?.closed === true);
      assert.equal(it.agents.loadOf(UID)?.sessions, 5);
    });
  });

  it('are told to drain by the name of their pod, which no other follows', async () => {
    await using it = await start();
    const { agents, orders, listen } = it;
    listen();
    agents.drain(UID);
    await until(() => orders.length === 1);
    agents.forget(UID);
    listen('data-0');
    agents.drain(UID);
    await until(() => it.warned.length === 1);
    assert.deepEqual(orders, [`${INTERNAL_DRAIN_PATH}?pod=data-1`, `${INTERNAL_DRAIN_PATH}?pod=data-0`]);
    assert.match(it.warned[0] ?? '', /answered 400 to the order to drain/);
  });

  it('have one order to drain under way at most, which nobody waits for and whose end is told', async () => {
    await using it = await start();
    it.listen();
    const answer = Promise.withResolvers<void>();
    it.answers = answer.promise;
    it.agents.drain(UID);
    it.agents.drain(UID);
    await until(() => it.orders.length === 1);
    const before = it.changes();
    answer.resolve();
    await until(() => it.changes() === before + 1);
    it.agents.drain(UID);
    await until(() => it.changes() === before + 2);
    assert.equal(it.orders.length, 2);
  });
});
