import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock } from 'node:test';
import { type AgentConfig, INTERNAL_STREAM_PATH, type Isolation, replPoolSpecSchema } from '@replpool/protocol';
import express from 'express';
import { LinkStream } from '../src/http/link-stream.ts';
import { Sessions } from '../src/sessions.ts';
import { python } from './python.ts';

const config: AgentConfig = {
  ...{ pool: 'default', pod: 'default-0', token: 'a token', python: python(), runDirectory: '/nowhere' },
  listen: { host: '127.0.0.1', port: 0 },
  spec: replPoolSpecSchema.parse({}),
};
const isolation: Isolation = { requested: 'None', effective: 'None', cgroups: 'none', missing: ['memory'] };
const acquired = () => ({ hits: 0, misses: 0, counts: [] });

function sessionsOfNobody(): Sessions {
  const nothing = () => undefined;
  const observer = {
    created: nothing,
    forked: nothing,
    changed: nothing,
    draining: nothing,
    gone: nothing,
    executed: nothing,
  };
  return new Sessions(config, isolation, [], {
    ...observer,
    output: nothing,
    limitHit: nothing,
    rolledBack: nothing,
    failed: nothing,
  });
}

/** Who listens to a stream, and how many heartbeats came. */
class Listener {
  beats = 0;
  told = 0;
  #rest = '';

  static async open(port: number, query: string): Promise<Listener> {
    const asked = request({ port, host: '127.0.0.1', path: INTERNAL_STREAM_PATH + query }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const it = new Listener();
    response.on('error', () => undefined);
    response.on('data', (chunk: Buffer) => it.#take(chunk.toString()));
    return it;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
    this.beats += types.filter((type) => type === 'heartbeat').length;
    this.told += types.filter((type) => type === 'capacity').length;
  }
}

/** The stream of an agent without sessions, which one who routes and one who only counts listen to. */
async function listened(
  hears: (link: LinkStream, routes: Listener, counts: Listener, sessions: Sessions) => Promise<void>,
): Promise<void> {
  const sessions = sessionsOfNobody();
  const link = new LinkStream(config, sessions, { isolation, acquired, failures: () => [] });
  const server = express().use(link.routes()).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await hears(link, await Listener.open(port, ''), await Listener.open(port, '?sessions=false'), sessions);
  } finally {
    mock.restoreAll();
    mock.timers.reset();
    link[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
    await sessions.close();
  }
}

describe('the stream of an agent', () => {
  it('tells who only counts of a change as soon as who routes, and of the next not within a second', () =>
    listened(async (link, routes, counts) => {
      mock.timers.enable({ apis: ['setTimeout'] });
      const heard = async (ms: number, expected: [number, number]) => {
        link.capacityChanged();
        mock.timers.tick(ms);
        while (routes.told < expected[0] || counts.told < expected[1]) await new Promise((done) => setImmediate(done));
        assert.deepEqual([routes.told, counts.told], expected);
      };
      await heard(50, [1, 1]);
      for (let told = 2; told < 10; told += 1) await heard(50, [told, 1]);
      await heard(1000, [10, 2]);
      link.readinessChanged();
      while (counts.told < 3) await new Promise((done) => setImmediate(done));
    }));

  it('tells who only counts at once that it begins to serve, whenever it told something else', () =>
    listened(async (link, _routes, counts, sessions) => {
      mock.timers.enable({ apis: ['setTimeout'] });
      const nobody = sessions.capacity();
      const becomes = async (active: number, busy: number, told: number) => {
        mock.method(sessions, 'capacity', () => ({ ...nobody, active, busy }));
        link.capacityChanged();
        while (counts.told < told) await new Promise((done) => setImmediate(done));
        assert.equal(counts.told, told);
      };
      await becomes(1, 0, 1);
      await becomes(1, 1, 2);
      await becomes(2, 1, 2);
      // What it ceases to do waits for its time.
      await becomes(2, 0, 2);
      mock.timers.tick(1000);
      while (counts.told < 3) await new Promise((done) => setImmediate(done));
      await becomes(2, 2, 4);
    }));

  it('beats every second for who routes, and every five for who only counts', () => {
    mock.timers.enable({ apis: ['setInterval'] });
    return listened(async (_link, routes, counts) => {
      mock.timers.tick(10_000);
      while (routes.beats < 10 || counts.beats < 2) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual([routes.beats, counts.beats], [10, 2]);
    });
  });
});
