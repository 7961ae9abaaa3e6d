import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { type AgentEndpoint, CHANNEL_JSON, type RouterConfig } from '@replpool/protocol';
import { type Router, startRouter } from '@replpool/router';
import { WebSocket } from 'ws';
import { TOKEN } from '../../session-agent/test/agent-client.ts';
import { RealAgent } from '../../session-agent/test/real-agent.ts';
import { MuteAgent } from './support/mute-agent.ts';
import { until } from './support/processes.ts';

const names = ['ann', 'bob', 'root', 'Łukasz'];
const config: RouterConfig = {
  listen: { host: '127.0.0.1', port: 0 },
  auth: {
    mode: 'apiKeys',
    keys: names.map((name) => ({ name, sha256: hash('sha256', encodeURIComponent(name)), admin: name === 'root' })),
  },
  agents: [],
};
const as = (name: string) => ({ authorization: `Bearer ${encodeURIComponent(name)}` });

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects is what it asserts
  readonly body: any;
}

async function call(base: string, method: string, path: string, who: object, body?: unknown): Promise<Answer> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(base + path, { method, headers: { ...who, ...type }, ...json });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true && text !== '';
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

describe('a router in front of an agent', () => {
  let agent: RealAgent;
  let endpoint: AgentEndpoint;
  let router: Router;
  let id: string;

  const ask = (name: string, method: string, path: string, body?: unknown) =>
    call(`http://127.0.0.1:${router.port}`, method, path, as(name), body);
  const listed = async (name: string): Promise<string[]> =>
    (await ask(name, 'GET', '/v1/sessions')).body.items.map((it: { id: string }) => it.id);
  const ready = () => until(async () => (await ask('root', 'GET', '/v1/pools')).body.items[0]?.readyPods === 1);

  before(async () => {
    agent = await RealAgent.start();
    endpoint = { pod: 'default-0', pool: 'default', url: agent.url, token: TOKEN };
    router = await startRouter({ ...config, agents: [endpoint] });
    await ready();
  });
  after(async () => {
    await router?.close();
    await agent?.close();
  });
  beforeEach(async () => {
    const created = await ask('ann', 'POST', '/v1/sessions');
    assert.equal(created.status, 201);
    id = created.body.id;
  });
  afterEach(async () => {
    await ask('root', 'DELETE', `/v1/sessions/${id}`);
  });

  it('lists to each owner their own sessions, to an admin all', async () => {
    assert.deepEqual(await listed('ann'), [id]);
    assert.deepEqual(await listed('bob'), []);
    assert.deepEqual(await listed('root'), [id]);
  });

  it('lets nobody but the owner and an admin touch a session', async () => {
    const path = `/v1/sessions/${id}`;
    for (const [method, rest, body] of [
      ['GET', ''],
      ['PATCH', '', { name: 'mine' }],
      ['POST', '/executions', { code: '1' }],
      ['PUT', '/files/x'],
      ['DELETE', ''],
    ] as const) {
      assert.equal((await ask('bob', method, path + rest, body)).body.code, 'FORBIDDEN', `${method} ${rest}`);
    }
    assert.equal((await ask('ann', 'POST', `${path}/executions`, { code: '1 + 1' })).status, 200);
    assert.equal((await ask('root', 'POST', `${path}/executions`, { code: '1 + 1' })).status, 200);
  });

  it('sends nobody to an agent whose stream does not tell of the session, which holds the owner itself', async () => {
    const path = `/v1/sessions/${id}`;
    const asAgent = (owner?: string) => ({ headers: owner === undefined ? {} : { 'replpool-owner': owner } });
    for (const rest of ['', '/executions', '/files', '/variables']) {
      assert.equal((await agent.fetch(path + rest, asAgent('bob'))).status, 403, rest);
      assert.equal((await agent.fetch(path + rest, asAgent('ann'))).status, 200, rest);
      assert.equal((await agent.fetch(path + rest, asAgent())).status, 200, rest);
    }
    await using mute = await MuteAgent.start(endpoint);
    await using searching = await startRouter({ ...config, agents: [mute.endpoint] });
    const search = (name: string, method = 'GET', rest = '', body?: unknown) =>
      call(`http://127.0.0.1:${searching.port}`, method, path + rest, as(name), body);
    const ready = async () => (await call(`http://127.0.0.1:${searching.port}`, 'GET', '/readyz', {})).status === 200;
    await until(ready);
    for (const name of ['ann', 'bob', 'root']) {
      assert.equal((await search(name)).body.code, 'AGENT_UNAVAILABLE', name);
      assert.equal((await search(name, 'POST', '/executions', { code: '1' })).body.code, 'AGENT_UNAVAILABLE', name);
    }
  });

  it('opens the channel of a session to its owner and to an admin', async () => {
    const opened = async (url: string, headers: Record<string, string>): Promise<string> => {
      const ws = new WebSocket(`${url}/v1/sessions/${id}/channel`, [CHANNEL_JSON], { headers });
      ws.on('error', () => undefined);
      const result = await Promise.race([
        once(ws, 'message').then(([data]) => JSON.parse(String(data)).type as string),
        once(ws, 'unexpected-response').then(([, response]) => String(response.statusCode)),
      ]);
      ws.terminate();
      return result;
    };
    const url = `http://127.0.0.1:${router.port}`;
    assert.deepEqual(
      [await opened(url, as('bob')), await opened(url, as('ann')), await opened(url, as('root'))],
      ['403', 'hello', 'hello'],
    );
    const { headers } = agent;
    assert.equal(await opened(agent.url, { ...headers, 'replpool-owner': 'bob' }), '403');
    assert.equal(await opened(agent.url, { ...headers, 'replpool-owner': 'ann' }), 'hello');
  });

  it('has the clients of channels come back elsewhere when it goes, with nothing missing between', async () => {
    const leaving = await startRouter({ ...config, agents: [endpoint], drainDelaySeconds: 0 });
    const at = (it: Router, from: number) =>
      new WebSocket(`ws://127.0.0.1:${it.port}/v1/sessions/${id}/channel?from=${from}`, [CHANNEL_JSON], {
        headers: as('ann'),
      });
    await until(async () => (await call(`http://127.0.0.1:${leaving.port}`, 'GET', '/readyz', {})).status === 200);
    const events: { seq: number; type: string }[] = [];
    const collect = (data: Buffer): void => {
      const message = JSON.parse(String(data));
      if (typeof message.seq === 'number' && message.type !== 'hello') events.push(message);
    };
    const before = at(leaving, 0).on('message', collect);
    await once(before, 'message');
    before.send(
      JSON.stringify({ type: 'execute', id: 'x', code: 'import time\nfor i in range(40): print(i); time.sleep(0.02)' }),
    );
    await until(() => events.some(({ type }) => type === 'stdout'));
    const closed = once(before, 'close');
    const drained = leaving.drain();
    assert.equal((await closed)[0], 1012);
    await drained;
    const next = at(router, events.at(-1)?.seq ?? 0).on('message', collect);
    await until(() => events.some(({ type }) => type === 'finished'));
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, i) => (events[0]?.seq ?? 0) + i),
    );
    next.close();
    await once(next, 'close');
  });

  it('gives an admin who repeats an id the session, and anybody else 403', async () => {
    assert.equal((await ask('root', 'POST', '/v1/sessions', { id })).status, 200);
    assert.equal((await ask('bob', 'POST', '/v1/sessions', { id })).status, 403);
    assert.deepEqual(await listed('ann'), [id]);
  });

  describe('transactions, undo and live copies', () => {
    const path = (rest: string, session = id) => `/v1/sessions/${session}${rest}`;
    const run = async (code: string, more: object = {}, session = id) =>
      (await ask('ann', 'POST', path('/executions', session), { code, ...more })).body;
    const value = async (code: string, session = id) => (await run(code, {}, session)).result.data['text/plain'];
    const explicit = { transaction: { policy: 'explicit' } };

    it('commit and roll back what several executions changed', async () => {
      await run('l = [1]');
      for (const [how, outcome, left] of [
        ['rollback', 'rolled_back', '[1]'],
        ['commit', 'committed', '[1, 2, 3]'],
      ] as const) {
        const { transaction } = await run('l.append(2)', explicit);
        await run('l.append(3)');
        const end = (who: string, body?: object) => ask(who, 'POST', path(`/transaction/${how}`), body);
        assert.equal((await end('bob')).status, 403);
        assert.equal((await end('ann', { transaction: 'another' })).body.code, 'NO_TRANSACTION');
        const { status, body } = await end('ann', { transaction: transaction.id });
        assert.deepEqual([status, body.id, body.outcome], [200, transaction.id, outcome]);
        assert.equal(await value('l'), left);
        assert.deepEqual([(await end('ann')).status, (await end('ann')).body.code], [409, 'NO_TRANSACTION']);
      }
    });

    it('roll back what fails, and say that a session’s process died in one', async () => {
      await run('l = [1]');
      for (const code of ['l.append(2); 1/0', 'l.append(2); import os; os._exit(1)']) {
        const { transaction } = await run(code, { transaction: { policy: 'rollback_on_failure' } });
        assert.equal(transaction.outcome, 'rolled_back');
        assert.equal(await value('l'), '[1]');
      }
    });

    it('undo executions of a session that keeps snapshots, over HTTP and the channel', async () => {
      const refused = await ask('ann', 'POST', path('/undo'));
      assert.deepEqual([refused.status, refused.body.code], [409, 'NO_SNAPSHOT']);
      const { body: session } = await ask('ann', 'POST', '/v1/sessions', { keepSnapshots: 3 });
      assert.deepEqual([session.keepSnapshots, session.undoable], [3, 0]);
      await run('l = [1]', {}, session.id);
      for (const n of [2, 3]) await run(`l.append(${n})`, { id: `n${n}` }, session.id);
      assert.equal((await ask('ann', 'GET', path('', session.id))).body.undoable, 3);
      assert.equal((await ask('bob', 'POST', path('/undo', session.id))).status, 403);
      const { status, body } = await ask('ann', 'POST', path('/undo', session.id), { executions: 2 });
      assert.deepEqual([status, body.executions], [200, ['n3', 'n2']]);
      assert.equal(await value('l', session.id), '[1]');

      await run('l.append(4)', {}, session.id);
      const url = `ws://127.0.0.1:${router.port}${path('/channel', session.id)}`;
      const ws = new WebSocket(url, [CHANNEL_JSON], { headers: as('ann') });
      await once(ws, 'open');
      const reply = Promise.withResolvers<{ value: { executions: string[] } }>();
      ws.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.request === 'u') reply.resolve(message);
      });
      ws.send(JSON.stringify({ type: 'undo', request: 'u', executions: 1 }));
      assert.equal((await reply.promise).value.executions.length, 1);
      assert.equal(await value('l', session.id), '[1]');
      const closed = once(ws, 'close');
      ws.close();
      await closed;
      await ask('ann', 'DELETE', path('', session.id));
    });

    it('fork a session: copies are there for the next request, independent, their parent’s owner’s, and outlive it', async () => {
      await run('l = [1]');
      assert.equal((await ask('bob', 'POST', path('/fork'))).status, 403);
      const { status, body } = await ask('root', 'POST', path('/fork'), { count: 3, labels: { team: 'x' } });
      assert.equal(status, 201);
      const copies: string[] = body.items.map((copy: { id: string }) => copy.id);
      const appended = await Promise.all(copies.map((copy, i) => value(`l.append(${i}); l`, copy)));
      assert.deepEqual(appended, ['[1, 0]', '[1, 1]', '[1, 2]']);
      assert.equal(await value('l'), '[1]');
      assert.deepEqual((await listed('ann')).sort(), [id, ...copies].sort());
      for (const copy of copies) {
        const { body: shown } = await ask('ann', 'GET', path('', copy));
        assert.deepEqual([shown.forkedFrom, shown.labels, shown.epoch], [id, { team: 'x' }, 1]);
        assert.equal((await ask('bob', 'GET', path('', copy))).status, 403);
      }
      assert.equal((await ask('ann', 'DELETE', path(''))).status, 204);
      for (const [i, copy] of copies.entries()) {
        assert.equal(await value('l', copy), `[1, ${i}]`);
        assert.equal((await ask('ann', 'DELETE', path('', copy))).status, 204);
        assert.equal((await ask('ann', 'GET', path('', copy))).status, 404);
      }
    });

    it('refuse to fork a session beyond what its agent may have, without any copy', async () => {
      const { status, headers, body } = await ask('ann', 'POST', path('/fork'), { count: 64 });
      assert.deepEqual([status, body.code], [429, 'POOL_EXHAUSTED']);
      assert.ok(headers.get('retry-after'));
      assert.deepEqual(await listed('ann'), [id]);
    });
  });

  it('makes a session without a body, as the agent itself does', async () => {
    const { authorization = '' } = agent.headers;
    const alone = await call(agent.url, 'POST', '/v1/sessions', { authorization });
    assert.equal(alone.status, 201);
    assert.deepEqual(await listed('ann'), [id], 'what nobody asked for belongs to nobody who has a key');
    await ask('root', 'DELETE', `/v1/sessions/${alone.body.id}`);
    assert.equal((await ask('ann', 'POST', `/v1/sessions/${id}/executions`)).body.details.field, 'code');
  });

  it('serves somebody whose name is not ASCII', async () => {
    const created = await ask('Łukasz', 'POST', '/v1/sessions', {});
    assert.equal(created.status, 201);
    const path = `/v1/sessions/${created.body.id}`;
    assert.equal((await ask('Łukasz', 'POST', `${path}/executions`, { code: '1' })).status, 200);
    assert.deepEqual(await listed('Łukasz'), [created.body.id]);
    assert.equal((await ask('ann', 'GET', path)).status, 403);
    assert.equal((await ask('Łukasz', 'DELETE', path)).status, 204);
  });

  it('answers methods and paths that there are not as the agent itself does', async () => {
    const session = `/v1/sessions/${id}`;
    const both = (method: string, path: string) =>
      Promise.all([ask('ann', method, path), call(agent.url, method, path, agent.headers)]);
    for (const [method, path, status, allow] of [
      ['POST', session, 405, 'GET, HEAD, PATCH, DELETE'],
      ['GET', `${session}/interrupt`, 405, 'POST'],
      ['OPTIONS', `${session}/executions`, 405, 'POST, GET, HEAD'],
      ['DELETE', '/v1/sessions', 405, 'POST, GET, HEAD'],
      ['GET', `${session}/nonsense`, 404, null],
      ['GET', `${session}/channel`, 400, null],
    ] as const) {
      for (const answer of await both(method, path)) {
        assert.deepEqual([answer.status, answer.headers.get('allow')], [status, allow], `${method} ${path}`);
      }
    }
    await ask('ann', 'PUT', `${session}/files/data.txt`);
    for (const path of ['', '/files', '/files/data.txt', '/executions', '/variables']) {
      for (const { status, body } of await both('HEAD', session + path)) {
        assert.deepEqual([status, body], [200, ''], path);
      }
    }
    await ask('ann', 'POST', `${session}/executions`, { id: 'x', code: 'input()', stdin: '' });
    for (const { status } of await both('HEAD', `${session}/executions/x/events`)) assert.equal(status, 200);
  });

  it('shows the pool as the agent itself does', async () => {
    for (const path of ['/v1/pools', '/v1/pools/default', '/v1/pools/none']) {
      const alone = await call(agent.url, 'GET', path, agent.headers);
      assert.equal((await ask('ann', 'GET', path)).status, alone.status, path);
    }
    const { body } = await call(agent.url, 'GET', '/v1/pools/default', agent.headers);
    assert.deepEqual([body.name, body.pods, body.readyPods, body.active], ['default', 1, 1, 1]);
  });

  it('pages through a list as the agent itself does', async () => {
    const second = await ask('ann', 'POST', '/v1/sessions', { labels: { team: 'x' } });
    const first = `/v1/sessions?limit=1`;
    const one = await ask('ann', 'GET', first);
    const alone = await call(agent.url, 'GET', first, agent.headers);
    assert.deepEqual(one.body, alone.body);
    for (const url of [`http://127.0.0.1:${router.port}`, agent.url]) {
      const who = url === agent.url ? agent.headers : as('ann');
      const next = await call(url, 'GET', `${first}&continue=${one.body.continue}`, who);
      assert.deepEqual(
        next.body.items.map((it: { id: string }) => it.id),
        [second.body.id],
      );
      const foreign = await call(url, 'GET', `${first}&continue=nonsense`, who);
      assert.equal(foreign.body.details.field, 'continue');
    }
    await ask('ann', 'DELETE', `/v1/sessions/${second.body.id}`);
  });
});
