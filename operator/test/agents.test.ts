import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentEndpoint, type AgentLinkMessage, INTERNAL_DRAIN_PATH } from '@replpool/protocol';
import type { TlsSource } from '@replpool/service';
import { pino } from 'pino';
import { until } from '../../kube/test/fake-api-server.ts';
import { Agents } from '../src/agents/agents.ts';

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
async function start() {
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
  const agents = new Agents(log, noTls, () => {
    changes += 1;
  });
  const { port } = server.address() as AddressInfo;
  const listen = (pod = me.pod) => {
    const endpoint: AgentEndpoint = { ...me, pod, url: `http://127.0.0.1:${port}` };
    agents.listen(UID, endpoint);
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
