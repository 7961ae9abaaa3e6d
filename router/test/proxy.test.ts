import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startRouter } from '../src/index.ts';
import { as, Harness, ids, keys } from './harness.ts';

async function withSession(auth = undefined as Parameters<typeof Harness.start>[1], owner = 'anonymous') {
  const it = await Harness.start(undefined, auth);
  it.agent.add(ids.a, owner);
  const headers = auth === undefined ? {} : as(owner);
  await it.until(async () => (await it.call('GET', `/v1/sessions/${ids.a}`, undefined, headers)).status === 200);
  it.agent.seen.length = 0;
  return it;
}

describe('proxying a session', () => {
  it('passes a stream on line by line, as it comes', async () => {
    await using it = await withSession();
    let arrived = Promise.withResolvers<void>();
    it.agent.handle = async (_req, res) => {
      for (let i = 0; i < 3; i++) {
        res.write(`${i}\n`);
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
      res.end();
    };
    const answer = await fetch(`${it.url}/v1/sessions/${ids.a}/executions`, { method: 'POST', body: '{}' });
    const lines: string[] = [];
    for await (const chunk of answer.body ?? []) {
      lines.push(Buffer.from(chunk).toString());
      arrived.resolve();
    }
    assert.deepEqual(lines, ['0\n', '1\n', '2\n']);
  });

  it('sends a stream’s head before its first event', async () => {
    await using it = await withSession();
    it.agent.handle = (_req, res) => res.flushHeaders();
    const stop = new AbortController();
    const answer = await fetch(`${it.url}/v1/sessions/${ids.a}/executions/x/events`, { signal: stop.signal });
    assert.equal(answer.status, 200);
    stop.abort();
  });

  it('carries large bodies both ways unchanged', async () => {
    await using it = await withSession();
    it.agent.handle = (req, res) => void req.pipe(res);
    const bytes = Buffer.alloc(24 * 1024 * 1024, 'replpool');
    const answer = await fetch(`${it.url}/v1/sessions/${ids.a}/files/big`, { method: 'PUT', body: bytes });
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes));
  });

  it('does not read from the agent what the client does not take', async () => {
    await using it = await withSession();
    let written = 0;
    it.agent.handle = (_req, res) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = () => {
        while (written < 256 * 1024 * 1024 && !res.destroyed) {
          written += chunk.length;
          if (!res.write(chunk)) return;
        }
      };
      res.on('drain', more);
      more();
    };
    const req = request(`${it.url}/v1/sessions/${ids.a}/executions/x/events`);
    req.on('error', () => undefined);
    req.end();
    const [response] = await once(req, 'response');
    response.on('error', () => undefined);
    await sleep(500);
    assert.ok(written < 64 * 1024 * 1024, `${written} bytes`);
    req.destroy();
  });

  it('ends the agent’s request when the client goes away', async () => {
    await using it = await withSession();
    const gone = Promise.withResolvers<void>();
    it.agent.handle = (_req, res) => {
      res.write('first\n');
      res.on('close', () => gone.resolve());
    };
    const stop = new AbortController();
    const answer = await fetch(`${it.url}/v1/sessions/${ids.a}/executions/x/events`, { signal: stop.signal });
    assert.equal(answer.status, 200);
    stop.abort();
    await gone.promise;
  });

  it('cuts the client’s answer when the agent’s breaks off', async () => {
    await using it = await withSession();
    it.agent.handle = (_req, res) => {
      res.write('half\n', () => setTimeout(() => res.destroy(), 50));
    };
    await assert.rejects(it.call('GET', `/v1/sessions/${ids.a}/executions/x/events`));
  });

  it('speaks to the agent in its own name, and only there', async () => {
    await using it = await withSession(keys, 'ann');
    const forged = { ...as('ann'), 'replpool-owner': 'root', 'replpool-epoch': '9', traceparent: '00-abc' };
    await it.call('POST', `/v1/sessions/${ids.a}/executions`, { code: '1' }, forged);
    const { headers, body } = it.agent.seen.at(-1) ?? assert.fail();
    assert.equal(headers.authorization, 'Bearer agent-token');
    assert.deepEqual([headers['replpool-owner'], headers['replpool-epoch']], ['ann', '1']);
    assert.deepEqual([headers.traceparent, body], ['00-abc', '{"code":"1"}']);
  });

  it('forgets a session that was deleted', async () => {
    await using it = await withSession();
    assert.equal((await it.call('DELETE', `/v1/sessions/${ids.a}`)).status, 204);
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}`)).status, 404);
  });

  it('refuses paths that could be read in two ways, before the agent sees them', async () => {
    await using it = await withSession();
    assert.equal((await it.call('GET', `/v1/sessions/${ids.a}/../${ids.b}`)).body.code, 'INVALID_REQUEST');
    assert.equal((await it.call('GET', '/v1/sessions/nonsense')).body.code, 'SESSION_NOT_FOUND');
    assert.equal(it.agent.seen.length, 0);
  });

  it('refuses a large body unread', async () => {
    await using it = await withSession();
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 1, 32);
    assert.equal((await it.call('POST', `/v1/sessions/${ids.a}/executions`, bytes)).status, 413);
  });
});

describe('who is let in', () => {
  it('does not start without authentication on an address that others reach', async () => {
    const config = { listen: { host: '0.0.0.0', port: 0 }, auth: { mode: 'none' as const }, agents: [] };
    await assert.rejects(startRouter(config), { code: 'FORBIDDEN' });
  });

  it('without authentication refuses foreign Host and Origin', async () => {
    await using it = await withSession();
    const path = `/v1/sessions/${ids.a}`;
    assert.equal((await it.call('GET', path, undefined, { host: 'evil.example' })).status, 403);
    assert.equal((await it.call('GET', '/v1/pools', undefined, { origin: 'https://evil.example' })).status, 403);
  });

  it('with API keys asks for one, and keeps owners apart', async () => {
    await using it = await withSession(keys, 'ann');
    const get = async (headers: Record<string, string>) =>
      (await it.call('GET', `/v1/sessions/${ids.a}`, undefined, headers)).status;
    const none = await it.call('GET', `/v1/sessions/${ids.a}`);
    assert.deepEqual([none.status, none.headers['www-authenticate']], [401, 'Bearer realm="replpool"']);
    assert.equal(await get({ authorization: 'Bearer wrong' }), 401);
    assert.equal(await get(as('ann')), 200);
    assert.equal(await get(as('bob')), 403);
    assert.equal(await get(as('root')), 200);
    assert.equal(it.agent.seen.at(-1)?.headers['replpool-owner'], 'ann');
    assert.equal((await it.call('GET', '/healthz')).status, 200);
  });

  it('has 404 for other paths and 405 with Allow for other methods', async () => {
    await using it = await withSession();
    assert.equal((await it.call('GET', '/v2')).body.code, 'NOT_FOUND');
    const wrong = await it.call('DELETE', '/v1/sessions');
    assert.deepEqual([wrong.body.code, wrong.headers.allow], ['METHOD_NOT_ALLOWED', 'POST, GET, HEAD']);
  });

  const session = `/v1/sessions/${ids.a}`;
  for (const [method, path, allow] of [
    ['POST', session, 'GET, HEAD, PATCH, DELETE'],
    ['GET', `${session}/interrupt`, 'POST'],
    ['PUT', `${session}/executions/x`, 'GET, HEAD, DELETE'],
    ['DELETE', `${session}/files`, 'GET, HEAD'],
    ['OPTIONS', session, 'GET, HEAD, PATCH, DELETE'],
    ['OPTIONS', '/v1/run', 'POST'],
  ] as const) {
    it(`has 405 for ${method} ${path.replace(session, '…')}, before an agent is asked`, async () => {
      await using it = await withSession();
      const { status, body, headers } = await it.call(method, path);
      assert.deepEqual([status, body.code, headers.allow], [405, 'METHOD_NOT_ALLOWED', allow]);
      assert.equal(it.agent.seen.length, 0);
    });
  }

  it('has 404 for paths below a session that there are not, and HEAD for every GET', async () => {
    await using it = await withSession();
    assert.equal((await it.call('GET', `${session}/nonsense`)).body.code, 'NOT_FOUND');
    for (const path of ['/healthz', '/v1/pools', '/v1/sessions', session]) {
      const { status, body } = await it.call('HEAD', path);
      assert.deepEqual([status, body], [200, ''], path);
    }
  });

  it('counts requests by route and code', async () => {
    await using it = await withSession();
    const { body } = await it.call('GET', '/metrics');
    assert.match(body, /replpool_router_requests_total\{route="\/v1\/sessions\/\{id\}",code="200"\} \d/);
    assert.match(body, /replpool_router_request_seconds_count\{route="\/v1\/sessions\/\{id\}"\} \d/);
  });
});

describe('the channel', () => {
  const open = (it: Harness, id = ids.a, headers: Record<string, string> = {}): WebSocket =>
    new WebSocket(`${it.url}/v1/sessions/${id}/channel?from=7`, { headers });

  async function refused(ws: WebSocket): Promise<{ status: number | undefined; code: string }> {
    ws.on('error', () => undefined);
    const [, response] = await once(ws, 'unexpected-response');
    const text = Buffer.concat(await response.toArray()).toString();
    return { status: response.statusCode, code: JSON.parse(text).code };
  }

  it('is passed through both ways, with the agent’s token and not the client’s', async () => {
    await using it = await withSession(keys, 'ann');
    const ws = open(it, ids.a, as('ann'));
    const [hello] = await once(ws, 'message');
    assert.equal(hello.toString(), '{"type":"hello"}');
    const big = Buffer.alloc(4 * 1024 * 1024, 'x');
    ws.send(big);
    const [echo] = await once(ws, 'message');
    assert.ok(big.equals(echo));
    const seen = it.agent.seen.at(-1) ?? assert.fail();
    assert.equal(seen.url, `/v1/sessions/${ids.a}/channel?from=7`);
    assert.deepEqual([seen.headers.authorization, seen.headers['replpool-owner']], ['Bearer agent-token', 'ann']);
    ws.close();
    await once(ws, 'close');
  });

  it('ends when its agent dies', async () => {
    await using it = await withSession();
    const ws = open(it);
    await once(ws, 'message');
    await it.agent.kill();
    await once(ws, 'close');
  });

  it('ends when its agent falls silent', async () => {
    await using it = await withSession();
    const ws = open(it);
    await once(ws, 'message');
    it.agent.silence();
    await once(ws, 'close');
  });

  it('passes the agent’s refusal on, and nothing more of the client to the agent', async () => {
    await using it = await withSession();
    it.agent.refuseUpgrades = true;
    const socket = connect(it.router.port, '127.0.0.1');
    const head = `host: localhost:${it.router.port}\r\n`;
    const upgrade = `GET /v1/sessions/${ids.a}/channel HTTP/1.1\r\n${head}connection: upgrade\r\nupgrade: websocket\r\n\r\n`;
    socket.write(`${upgrade}GET /smuggled HTTP/1.1\r\n${head}\r\n`);
    const [answer] = await once(socket, 'data');
    assert.match(answer.toString(), /^HTTP\/1.1 400 /);
    socket.write(`GET /smuggled HTTP/1.1\r\n${head}\r\n`);
    await once(socket, 'close');
    assert.equal(it.agent.afterRefusal, 0);
  });

  it('is not opened by an upgrade to something else, which is a plain request', async () => {
    await using it = await withSession();
    assert.equal((await it.call('GET', '/healthz', undefined, { connection: 'upgrade', upgrade: 'h2c' })).status, 200);
  });

  it('is refused with a problem: no key, another owner, no session, a foreign page', async () => {
    await using it = await withSession(keys, 'ann');
    assert.deepEqual(await refused(open(it)), { status: 401, code: 'UNAUTHENTICATED' });
    assert.deepEqual(await refused(open(it, ids.a, as('bob'))), { status: 403, code: 'FORBIDDEN' });
    assert.deepEqual(await refused(open(it, ids.unknown, as('bob'))), { status: 404, code: 'SESSION_NOT_FOUND' });
    await using open2 = await withSession();
    const foreign = open(open2, ids.a, { origin: 'http://evil.example' });
    assert.deepEqual(await refused(foreign), { status: 403, code: 'FORBIDDEN' });
  });
});
