import assert from 'node:assert/strict';
import { pino } from 'pino';
import { FakeAgent } from './fake-agent.ts';
import { Harness, ids } from './harness.ts';

describe('the agents of a router', () => {
  it('a killed agent’s sessions are 410 SESSION_LOST, and back when it comes back with them', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    await it.agent.kill();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 410);
    const lost = await it.call('GET', `/v1/sessions/${ids.a}`);
    assert.equal(lost.body.code, 'SESSION_LOST');
    assert.deepEqual(lost.body.details, { reason: 'node' });
    await it.agent.start();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
  });

  it('what runs at an agent that falls silent ends with 503, and its sessions are there when it speaks again', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.agent.silence();
    const ended = await it.call('POST', `/v1/sessions/${ids.a}/executions`, { code: 'sleep(3600)' });
    const next = await it.call('GET', `/v1/sessions/${ids.a}`);
    for (const { status, body, headers } of [ended, next]) {
      assert.deepEqual([status, body.code, body.retryable], [503, 'AGENT_UNAVAILABLE', true]);
      assert.ok(headers['retry-after']);
    }
    it.agent.speak();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
  });

  it('while an agent is silent nobody’s id is made a second time elsewhere', async () => {
    await using it = await Harness.start([new FakeAgent('data-1'), new FakeAgent('data-2')]);
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.agent.silence();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 503);
    for (const id of [ids.a, ids.b]) {
      assert.equal((await it.call('POST', '/v1/sessions', { id })).body.code, 'AGENT_UNAVAILABLE');
    }
    assert.equal((await it.call('POST', '/v1/sessions', {})).body.pod, 'data-2');
  });

  it('a silent agent’s sessions are lost once it refuses connections', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.agent.silence();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 503);
    await it.agent.kill();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 410);
  });

  it('a session that an agent speaks no more of after its silence is lost', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    it.agent.add(ids.b, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`)).status === 200);
    it.agent.silence();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 503);
    it.agent.sessions.delete(ids.a);
    it.agent.speak();
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`)).status === 200);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`)).status, 410);
  });

  it('an execution under way when its agent is killed ends with 410 reason node', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.agent.handle = () => void it.agent.kill();
    const answer = await it.call('POST', `/v1/sessions/${ids.a}/executions`, { code: 'x' });
    assert.deepEqual([answer.status, answer.body.code], [410, 'SESSION_LOST']);
  });

  it('a broken connection to a living agent is 503 AGENT_UNAVAILABLE, and the request is not sent again', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    let times = 0;
    it.agent.handle = (req) => {
      times += 1;
      req.socket.destroy();
    };
    const answer = await it.call('POST', `/v1/sessions/${ids.a}/executions`, { code: 'x' });
    assert.deepEqual([answer.status, answer.body.code, times], [503, 'AGENT_UNAVAILABLE', 1]);
    assert.ok(answer.headers['retry-after']);
  });

  it('an unknown id is 404 where all agents answered, 503 while a listed one does not', async () => {
    await using it = await Harness.start();
    const unknown = () => it.call('GET', `/v1/sessions/${ids.unknown}`);
    assert.equal((await unknown()).body.code, 'SESSION_NOT_FOUND');
    const deaf = { pod: 'data-2', pool: 'data', url: 'http://127.0.0.1:9', token: 't' };
    it.router.setAgents([it.agent.endpoint, deaf]);
    assert.equal((await unknown()).body.code, 'AGENT_UNAVAILABLE');
    it.router.setAgents([it.agent.endpoint]);
    assert.equal((await unknown()).status, 404);
  });

  it('a session gone as deleted is 404, one gone as expired 410 with the reason', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    it.agent.add(ids.b, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`)).status === 200);
    it.agent.say({ type: 'session_gone', id: ids.a, reason: 'deleted' });
    it.agent.say({ type: 'session_gone', id: ids.b, reason: 'expired' });
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.b}`)).status === 410);
    assert.deepEqual((await it.call('GET', `/v1/sessions/${ids.b}`)).body.details, { reason: 'expired' });
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`)).status, 404);
  });

  it('an agent that leaves the list has lost its sessions', async () => {
    await using it = await Harness.start();
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.router.setAgents([]);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`)).status, 410);
  });

  it('another pod at the address of one that was listed is not that one', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    await using it = await Harness.start(undefined, { mode: 'none' }, log);
    it.agent.add(ids.a, 'anonymous');
    await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`)).status === 200);
    it.router.setAgents([{ ...it.agent.endpoint, pod: 'data-0' }]);
    await it.until(() => lines.some((line) => line.includes('another pod answers')));
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`)).status, 410);
    assert.match((await it.call('GET', '/metrics')).body, /pod="data-0"} 0/);
  });

  it('without an agent it is alive and not ready, and creation is WARMING', async () => {
    await using it = await Harness.start([]);
    assert.equal((await it.call('GET', '/healthz')).status, 200);
    assert.equal((await it.call('GET', '/readyz')).status, 503);
    it.router.setAgents([{ pod: 'data-1', pool: 'data', url: 'http://127.0.0.1:9', token: 't' }]);
    assert.equal((await it.call('POST', '/v1/sessions', {})).body.code, 'WARMING');
  });

  it('sums its pools', async () => {
    await using it = await Harness.start([
      new FakeAgent('data-1'),
      new FakeAgent('data-2'),
      new FakeAgent('s-1', 'small'),
    ]);
    const { items } = (await it.call('GET', '/v1/pools')).body;
    assert.deepEqual(
      items.map((pool: { name: string; pods: number; free: number }) => [pool.name, pool.pods, pool.free]),
      [
        ['data', 2, 20],
        ['small', 1, 10],
      ],
    );
    assert.equal((await it.call('GET', '/v1/pools/small')).body.hitRate, null);
    assert.equal((await it.call('GET', '/v1/pools/none')).body.code, 'POOL_NOT_FOUND');
  });
});
