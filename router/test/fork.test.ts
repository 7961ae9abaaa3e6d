import assert from 'node:assert/strict';
import { pino } from 'pino';
import { FakeAgent } from './fake-agent.ts';
import { as, Harness, ids, keys } from './harness.ts';

const fork = `/v1/sessions/${ids.a}/fork`;

describe('forking a session', () => {
  it('makes copies that are there for the very next request, at its own agent', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    const made = await it.call('POST', '/v1/sessions', { id: ids.a });
    const { status, body } = await it.call('POST', fork, { count: 3 });
    assert.equal(status, 201);
    assert.equal(new Set(body.items.map((copy: { id: string }) => copy.id)).size, 3);
    for (const copy of body.items) {
      assert.equal((await it.call('GET', `/v1/sessions/${copy.id}`)).body.pod, made.body.pod);
      assert.equal((await it.call('POST', `/v1/sessions/${copy.id}/executions`, { code: '1' })).status, 200);
    }
  });

  it('knows the copies by the answer, before the agent’s stream tells of them', async () => {
    await using it = await Harness.start();
    const { body: parent } = await it.call('POST', '/v1/sessions', { id: ids.a });
    it.agent.handle = (req, res) => {
      const copy = { ...parent, id: ids.b, forkedFrom: ids.a };
      const isFork = req.method === 'POST';
      res.writeHead(isFork ? 201 : 200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(isFork ? { items: [copy] } : copy));
    };
    const { status, body } = await it.call('POST', fork);
    assert.deepEqual([status, body.items[0].forkedFrom], [201, ids.a]);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.b}`)).body.id, ids.b);
  });

  it('gives the copies to the owner, whoever asked, with a line for each in the audit log', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    await using it = await Harness.start(undefined, keys, log);
    await it.call('POST', '/v1/sessions', { id: ids.a }, as('ann'));
    assert.equal((await it.call('POST', fork, {}, as('bob'))).body.code, 'FORBIDDEN');
    const { body } = await it.call('POST', fork, { count: 2 }, as('root'));
    const said = lines
      .map((line) => JSON.parse(line))
      .filter(({ forkedFrom }) => forkedFrom !== undefined)
      .map(({ audit, action, caller, owner, pool, session }) => ({ audit, action, caller, owner, pool, session }));
    const copies: { id: string }[] = body.items;
    const facts = { audit: true, action: 'create', caller: 'root', owner: 'ann', pool: 'data' };
    assert.deepEqual(
      said,
      copies.map(({ id }) => ({ ...facts, session: id })),
    );
    for (const { id } of copies) {
      assert.equal((await it.call('GET', `/v1/sessions/${id}`, undefined, as('ann'))).status, 200);
      assert.equal((await it.call('GET', `/v1/sessions/${id}`, undefined, as('bob'))).status, 403);
    }
  });

  it('passes on what the agent refuses', async () => {
    await using it = await Harness.start();
    await it.call('POST', '/v1/sessions', { id: ids.a });
    it.agent.handle = (_req, res) => {
      res.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '7' });
      res.end('{"code":"POOL_EXHAUSTED"}');
    };
    const { status, headers, body } = await it.call('POST', fork, { count: 64 });
    assert.deepEqual([status, headers['retry-after'], body.code], [429, '7', 'POOL_EXHAUSTED']);
  });

  it('is unavailable where the answer is none', async () => {
    await using it = await Harness.start();
    await it.call('POST', '/v1/sessions', { id: ids.a });
    const tooMany = Array.from({ length: 65 }, () => ({ id: ids.b, epoch: 1 }));
    for (const answer of ['{', '{"items":[{"id":"x","epoch":1}]}', JSON.stringify({ items: tooMany })]) {
      it.agent.handle = (_req, res) => void res.writeHead(201).end(answer);
      const { status, body } = await it.call('POST', fork);
      assert.deepEqual([status, body.code], [503, 'AGENT_UNAVAILABLE']);
      it.agent.handle = undefined;
      assert.equal((await it.call('GET', `/v1/sessions/${ids.b}`)).status, 404);
    }
  });

  it('does not know a copy that has ended by then', async () => {
    await using it = await Harness.start();
    const { body: parent } = await it.call('POST', '/v1/sessions', { id: ids.a });
    it.agent.handle = (_req, res) => {
      it.agent.add(ids.b, 'anonymous');
      it.agent.say({ type: 'session_gone', id: ids.b, reason: 'expired' });
      it.agent.handle = undefined;
      // The answer is later than the word of the stream.
      it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`)).status === 410).then(() =>
        res.writeHead(201).end(JSON.stringify({ items: [{ ...parent, id: ids.b }] })),
      );
    };
    assert.equal((await it.call('POST', fork)).status, 201);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.b}`)).status, 410);
  });
});
