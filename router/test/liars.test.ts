import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { LinkSession } from '@replpool/protocol';
import { pino } from 'pino';
import { FakeAgent } from './fake-agent.ts';
import { Harness, ids } from './harness.ts';

const session = (it: Harness, id: string, method = 'GET') => it.call(method, `/v1/sessions/${id}`);

/** A router before an honest agent and one of another pool that is not, with what the router wrote into its log. */
async function withLiar(): Promise<Harness & { lines: string[]; honest: FakeAgent; liar: FakeAgent }> {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const [honest, liar] = [new FakeAgent('data-1', 'team:data'), new FakeAgent('liar-1', 'evil:data')];
  return Object.assign(await Harness.start([honest, liar], { mode: 'none' }, log), { lines, honest, liar });
}

const claimOf = (id: string): LinkSession => ({
  ...{ id, epoch: 9, state: 'idle', owner: 'anonymous', labels: {}, stateEpoch: 1 },
});

/** Resolves once the router has taken whatever the agent said before. */
async function heardOut(it: Harness, agent: FakeAgent): Promise<void> {
  agent.add(ids.b, 'anonymous');
  await it.until(async () => (await session(it, ids.b)).body.pod === agent.pod);
}

describe('an agent that says that it has a session of another pool', () => {
  it('does not get it where the session was made through this router', async () => {
    await using it = await withLiar();
    const made = await it.call('POST', '/v1/sessions', { id: ids.a, pool: 'team:data' });
    assert.equal(made.body.pod, 'data-1');
    it.liar.say({ type: 'session', session: claimOf(ids.a) });
    await heardOut(it, it.liar);
    assert.equal((await session(it, ids.a)).body.pod, 'data-1');
    assert.ok(it.lines.some((line) => line.includes('not believed') && line.includes('liar-1')));
  });

  for (const first of ['honest', 'liar'] as const) {
    it(`makes it be served by neither where nobody can tell, if the ${first} one is first`, async () => {
      await using it = await withLiar();
      const says = { honest: () => it.honest.add(ids.a, 'anonymous'), liar: () => it.liar.add(ids.a, 'anonymous') };
      says[first]();
      await it.until(async () => (await session(it, ids.a)).status === 200);
      says[first === 'honest' ? 'liar' : 'honest']();
      await it.until(async () => (await session(it, ids.a)).status === 503);
      const repeated = await it.call('POST', '/v1/sessions', { id: ids.a, pool: 'team:data' });
      assert.deepEqual([repeated.status, repeated.body.code], [503, 'AGENT_UNAVAILABLE']);
      assert.ok(it.lines.some((line) => line.includes('served by neither') && line.includes(ids.a)));
      // Who is left may be the liar.
      await it.honest.kill();
      await it.until(async () => (await it.call('GET', '/metrics')).body.includes('pod="data-1"} 0'));
      assert.equal((await session(it, ids.a)).status, 503);
    });
  }

  it('does not get it once it was lost, and who had it does', async () => {
    await using it = await withLiar();
    it.honest.add(ids.a, 'anonymous');
    await it.until(async () => (await session(it, ids.a)).status === 200);
    await it.honest.kill();
    await it.until(async () => (await session(it, ids.a)).status === 410);
    it.liar.say({ type: 'session', session: claimOf(ids.a) });
    await heardOut(it, it.liar);
    assert.equal((await session(it, ids.a)).status, 410);
    await it.honest.start();
    await it.until(async () => (await session(it, ids.a)).body.pod === 'data-1');
  });

  it('is not sent what is to be made in a pool that was named', async () => {
    await using it = await withLiar();
    it.liar.add(ids.a, 'anonymous');
    await it.until(async () => (await session(it, ids.a)).status === 200);
    const refused = await it.call('POST', '/v1/sessions', { id: ids.a, pool: 'team:data', env: { SECRET: 'x' } });
    assert.deepEqual([refused.status, refused.body.details?.field], [400, 'pool']);
    assert.ok(it.liar.seen.every(({ method }) => method !== 'POST'));
  });

  it('does not get it by the answer to a fork either', async () => {
    await using it = await withLiar();
    for (const id of [ids.a, ids.c]) await it.call('POST', '/v1/sessions', { id, pool: 'team:data' });
    assert.equal((await session(it, ids.c, 'DELETE')).status, 204);
    it.liar.add(ids.b, 'anonymous');
    await it.until(async () => (await session(it, ids.b)).status === 200);
    it.liar.handle = (_req, res) => {
      const items = [ids.a, ids.c].map((id) => ({ id, epoch: 9 }));
      res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ items }));
    };
    assert.equal((await it.call('POST', `/v1/sessions/${ids.b}/fork`)).status, 201);
    assert.equal((await session(it, ids.a)).body.pod, 'data-1');
    assert.equal((await session(it, ids.c)).status, 404);
    assert.ok(it.lines.some((line) => line.includes('not believed') && line.includes('liar-1')));
  });

  it('is not believed by an answer alone, whatever it answers', async () => {
    await using it = await withLiar();
    for (const status of [200, 403]) {
      it.liar.handle = (_req, res) => void res.writeHead(status, { 'content-type': 'application/json' }).end('{}');
      assert.equal((await session(it, ids.unknown)).body.code, 'AGENT_UNAVAILABLE', String(status));
    }
  });

  it('is believed once its stream tells of what it answered', async () => {
    await using it = await withLiar();
    it.honest.handle = (_req, res) => {
      it.honest.handle = undefined;
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      it.honest.add(ids.a, 'anonymous');
    };
    assert.equal((await session(it, ids.a)).body.pod, 'data-1');
  });
});

describe('an agent that says too much', () => {
  const filler = Buffer.alloc(1024 * 1024, 0x20);

  it('is cut off in the answer to a creation', async () => {
    await using it = await withLiar();
    it.liar.handle = (_req, res) => {
      res.writeHead(201, { 'content-type': 'application/json' });
      for (let i = 0; i < 17; i++) res.write(filler);
      res.end('{"epoch":1}');
    };
    const refused = await it.call('POST', '/v1/sessions', { pool: 'evil:data' });
    assert.deepEqual([refused.status, refused.body.code], [503, 'AGENT_UNAVAILABLE']);
  });

  it('is cut off in a list, by its bytes and by its pages', async () => {
    await using it = await withLiar();
    let pages = 0;
    it.liar.handle = (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      for (let i = 0; i < 17; i++) res.write(filler);
      res.end('{"items":[]}');
    };
    assert.equal((await it.call('GET', '/v1/sessions')).status, 503);
    it.liar.handle = (_req, res) => {
      pages += 1;
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[],"continue":"x"}');
    };
    assert.equal((await it.call('GET', '/v1/sessions')).status, 503);
    assert.ok(pages <= 30, `${pages} pages`);
  });

  it('is dropped with more sessions than an agent can have', async () => {
    await using it = await withLiar();
    for (let i = 0; i <= 10_000; i++) {
      it.liar.say({ type: 'session', session: claimOf(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`) });
    }
    await it.until(() => it.lines.some((line) => line.includes('more sessions than an agent can have')));
    assert.match((await it.call('GET', '/metrics')).body, /pod="liar-1"} 0/);
    assert.match((await it.call('GET', '/metrics')).body, /pod="data-1"} 1/);
  });
});

describe('a pod that accepts connections and says nothing', () => {
  it('is waited for by nobody where none of its pool was ever heard', async () => {
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => mute.once('listening', resolve));
    try {
      await using it = await Harness.start();
      const { port } = mute.address() as { port: number };
      const pod = (name: string, pool: string) => ({ pod: name, pool, url: `http://127.0.0.1:${port}`, token: 't' });
      it.router.setAgents([it.agent.endpoint, pod('fake-1', 'fake')]);
      assert.equal((await it.call('GET', '/readyz')).status, 200);
      assert.equal((await it.call('GET', '/v1/sessions')).status, 200);
      assert.equal((await session(it, ids.unknown)).status, 404);
      assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a, pool: 'data' })).status, 201);
      // One of a pool that is there may have sessions.
      it.router.setAgents([it.agent.endpoint, pod('data-2', 'data')]);
      assert.equal((await it.call('GET', '/v1/sessions')).status, 503);
      assert.equal((await session(it, ids.unknown)).status, 503);
    } finally {
      mute.close();
    }
  });
});
