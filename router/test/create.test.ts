import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { FakeAgent } from './fake-agent.ts';
import { as, Harness, ids, keys } from './harness.ts';

describe('creating sessions', () => {
  it('makes an id where the client has none, and knows the session at once', async () => {
    await using it = await Harness.start();
    const { status, body } = await it.call('POST', '/v1/sessions', { labels: { team: 'x' } });
    assert.equal(status, 201);
    assert.match(body.id, /^[0-9a-f-]{36}$/);
    assert.equal((await it.call('GET', `/v1/sessions/${body.id}`)).status, 200);
  });

  it('sends the same id to its owner, ten at a time too', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    const answers = await Promise.all(Array.from({ length: 10 }, () => it.call('POST', '/v1/sessions', { id: ids.a })));
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [...Array(9).fill(200), 201]);
    assert.equal(it.agents.filter((agent) => agent.sessions.has(ids.a)).length, 1);
  });

  it('makes one at a time of an id, also where the first of three fails', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    const first = Promise.withResolvers<void>();
    let times = 0;
    let underWay = 0;
    let most = 0;
    for (const agent of it.agents) {
      agent.creating = async () => {
        const isFirst = times === 0;
        times += 1;
        underWay += 1;
        most = Math.max(most, underWay);
        await (isFirst ? first.promise : sleep(50));
        underWay -= 1;
        return isFirst ? 500 : undefined;
      };
    }
    const create = () => it.call('POST', '/v1/sessions', { id: ids.a });
    const answers = [create()];
    await it.until(() => times === 1);
    answers.push(create(), create());
    await sleep(50);
    first.resolve();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [200, 201, 500]);
    assert.equal(most, 1);
    assert.equal(it.agents.filter((agent) => agent.sessions.has(ids.a)).length, 1);
  });

  it('needs no body', async () => {
    await using it = await Harness.start();
    assert.equal((await it.call('POST', '/v1/sessions')).status, 201);
  });

  it('asks another agent when one is full, and is 429 with Retry-After when all are', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    it.agent.full = true;
    for (let i = 0; i < 5; i++) {
      assert.equal((await it.call('POST', '/v1/sessions', {})).body.pod, 'data-2');
    }
    for (const agent of it.agents) agent.full = true;
    const refused = await it.call('POST', '/v1/sessions', {});
    assert.deepEqual([refused.status, refused.body.code], [429, 'POOL_EXHAUSTED']);
    assert.ok(refused.headers['retry-after']);
  });

  it('does not know a pool that no agent is of', async () => {
    await using it = await Harness.start();
    const { status, body } = await it.call('POST', '/v1/sessions', { pool: 'other' });
    assert.deepEqual([status, body.code], [404, 'POOL_NOT_FOUND']);
  });

  const wrong: [string, unknown, Record<string, string>, number, string, string | undefined][] = [
    ['JSON that does not parse', Buffer.from('{"a":'), {}, 400, 'INVALID_REQUEST', 'body'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), {}, 400, 'INVALID_REQUEST', 'body'],
    ['an unknown field', { nonsense: 1 }, {}, 400, 'INVALID_REQUEST', 'nonsense'],
    ['an id that is no UUID', { id: 'x' }, {}, 400, 'INVALID_REQUEST', 'id'],
    ['another content type', {}, { 'content-type': 'text/plain' }, 415, 'UNSUPPORTED_MEDIA_TYPE', undefined],
    ['a body over 16 MiB', Buffer.alloc(16 * 1024 * 1024 + 1, 32), {}, 413, 'PAYLOAD_TOO_LARGE', undefined],
  ];
  for (const [name, body, headers, status, code, field] of wrong) {
    it(`answers ${name} with ${status} ${code}`, async () => {
      await using it = await Harness.start();
      const answer = await it.call('POST', '/v1/sessions', body, headers);
      assert.deepEqual([answer.status, answer.body.code, answer.body.details?.field], [status, code, field]);
      assert.match(String(answer.headers['content-type']), /problem\+json/);
      assert.equal((await it.call('GET', '/healthz')).status, 200);
    });
  }

  it('calls a pool by its whole name to the agent, whatever the client calls it', async () => {
    await using it = await Harness.start([new FakeAgent('data-1', 'team:data')]);
    assert.equal((await it.call('POST', '/v1/sessions', { pool: 'data' })).status, 201);
    assert.deepEqual(JSON.parse(it.agent.seen.at(-1)?.body ?? '').pool, 'team:data');
  });

  it('gives an admin who repeats an id the session of its owner', async () => {
    await using it = await Harness.start(undefined, keys);
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'))).status, 201);
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, as('root'))).status, 200);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`, undefined, as('ann'))).status, 200);
  });

  it('takes a name that no header can carry as it is', async () => {
    const name = 'Łukasz\r\nreplpool-epoch: 9';
    const key = { name, sha256: hash('sha256', 'l-key') };
    await using it = await Harness.start(undefined, { mode: 'apiKeys', keys: [key] });
    const created = await it.call('POST', '/v1/sessions', { id: ids.a }, as('l'));
    assert.equal(created.status, 201);
    assert.equal(it.agent.sessions.get(ids.a)?.link.owner, name);
    assert.equal((await it.call('GET', '/v1/sessions', undefined, as('l'))).body.items.length, 1);
    const channel = new WebSocket(`${it.url}/v1/sessions/${ids.a}/channel`, { headers: as('l') });
    await once(channel, 'message');
    const { headers } = it.agent.seen.at(-1) ?? assert.fail();
    assert.deepEqual([headers['replpool-owner'], headers['replpool-epoch']], [encodeURIComponent(name), '1']);
    channel.close();
    await once(channel, 'close');
  });

  it('refuses another owner’s id', async () => {
    await using it = await Harness.start(undefined, keys);
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'))).status, 201);
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'))).status, 200);
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, as('bob'))).status, 403);
  });

  it('runs one-shot code at an agent', async () => {
    await using it = await Harness.start();
    it.agent.handle = async (_req, res, body) => void res.end((await body()).toString());
    const answer = await it.call('POST', '/v1/run', { code: '1+1' });
    assert.deepEqual([answer.status, answer.body], [200, '{"code":"1+1","pool":"data"}']);
  });
});

describe('listing sessions', () => {
  it('pages over all agents in a stable order, filtered by label', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    for (let i = 0; i < 7; i++) {
      const labels = { parity: i % 2 === 0 ? 'even' : 'odd' };
      it.agents[(i % 2) ^ (i > 3 ? 1 : 0)]?.add(`00000000-0000-4000-8000-00000000000${i}`, 'anonymous', labels);
    }
    const seen: string[] = [];
    let next = '';
    do {
      const { status, body } = await it.call('GET', `/v1/sessions?limit=3${next}`);
      assert.equal(status, 200, JSON.stringify(body));
      seen.push(...body.items.map((session: { id: string }) => session.id.at(-1)));
      next = body.continue === undefined ? '' : `&continue=${body.continue}`;
    } while (next !== '');
    assert.equal(seen.join(''), '0123456');
    const odd = await it.call('GET', '/v1/sessions?label=parity%3Dodd');
    assert.equal(odd.body.items.length, 3);
    assert.equal((await it.call('GET', '/v1/sessions?continue=nonsense')).body.details.field, 'continue');
    assert.equal((await it.call('GET', '/v1/sessions?limit=0')).body.details.field, 'limit');
  });

  it('is 503 while a listed agent that may have some is not heard', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('small-2', 'small')]);
    const deaf = { pod: 'small-1', pool: 'small', url: 'http://127.0.0.1:9', token: 't' };
    it.router.setAgents([...it.agents.map(({ endpoint }) => endpoint), deaf]);
    const all = await it.call('GET', '/v1/sessions');
    assert.deepEqual([all.status, all.body.code], [503, 'AGENT_UNAVAILABLE']);
    assert.ok(all.headers['retry-after']);
    assert.equal((await it.call('GET', '/v1/sessions?pool=data')).status, 200);
  });

  it('shows each owner their own, and an admin all', async () => {
    await using it = await Harness.start(undefined, keys);
    it.agent.add(ids.a, 'ann');
    it.agent.add(ids.b, 'bob');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`, undefined, as('bob'))).status === 200);
    const listed = async (name: string) =>
      (await it.call('GET', '/v1/sessions', undefined, as(name))).body.items.map(
        (session: { id: string }) => session.id,
      );
    assert.deepEqual(await listed('ann'), [ids.a]);
    assert.deepEqual(await listed('bob'), [ids.b]);
    assert.deepEqual(await listed('root'), [ids.a, ids.b]);
  });
});
