import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { Agent as HttpAgent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Problem, SessionEvent } from '@replpool/protocol';
import { AgentProcess } from './agent-process.ts';
import { ChannelClient } from './channel-client.ts';
import { oneSession } from './one-session.ts';
import { RealAgent } from './real-agent.ts';

async function codeOf(response: Response): Promise<string> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  return ((await response.json()) as Problem).code;
}

describe('code and clients that mean harm, or know no better', function () {
  this.timeout(60_000);
  const its = oneSession({
    sessions: { minIdle: 1, interruptGraceSeconds: 1, limits: { outputBytes: 4 * 1024 * 1024 } },
  });
  const { run } = its;
  const remove = () => its.agent.fetch(`/v1/sessions/${its.session.id}`, { method: 'DELETE' });
  const nothingLeft = () => assert.deepEqual(readdirSync(join(its.agent.runDirectory, 'sessions')), []);

  it('deletes the event log under a reader that lags behind: it gets a gap, and the agent lives', async () => {
    const slow = await new ChannelClient(its.agent, its.session.id).opened();
    await slow.wait('hello');
    slow.socket.pause();
    for (let n = 0; n < 6; n += 1) await run('for _ in range(3): print("x" * 2**20)');
    await run('import shutil; shutil.rmtree("../log", ignore_errors=True)');
    slow.socket.resume();
    await slow.wait('gap');
    slow.close();
    assert.equal((await run('1')).status, 'ok');
  });

  it('deletes the outcomes: the id still runs nothing twice', async () => {
    const body = { id: 'big', code: 'print("x" * 100_000); n = globals().get("n", 0) + 1' };
    await its.agent.post(`/v1/sessions/${its.session.id}/executions`, body);
    await run('import shutil; shutil.rmtree("../outcomes")');
    const again = await run(body.code, { id: body.id });
    assert.deepEqual([again.status, again.warnings[0]?.code], ['ok', 'OUTCOME_EXPIRED']);
    assert.equal((await run('n')).result?.data['text/plain'], '1');
  });

  it('takes its own rights on a folder away: the session can be deleted, and nothing of it is left', async () => {
    await run('import os; os.mkdir("d"); open("d/f", "w"); os.chmod("d", 0)');
    assert.equal((await remove()).status, 204);
    nothingLeft();
  });

  it('makes folders deeper than a path can name: they are listed as far as it goes, and removed', async () => {
    await run('import os\nfor _ in range(200):\n  os.mkdir("n" * 50); os.chdir("n" * 50)');
    const list = await its.agent.fetch(`/v1/sessions/${its.session.id}/files`);
    assert.equal(list.status, 200);
    assert.ok(((await list.json()) as { items: unknown[] }).items.length > 50);
    assert.equal((await remove()).status, 204);
    nothingLeft();
  });

  it('deletes its working folder and dies: the session comes back with a new one', async () => {
    await run('import os, shutil; shutil.rmtree(os.getcwd()); os._exit(1)');
    assert.equal(
      (await run('open("f", "w").close(); os = __import__("os"); os.listdir()')).result?.data['text/plain'],
      "['f']",
    );
  });

  it('displays integers beyond 2^53 and binary data: JSON carries all of it', async () => {
    const code = 'display({"application/json": {"id": 2**60}, "image/png": b"\\x89P"}, raw=True)';
    const response = await its.agent.post(`/v1/sessions/${its.session.id}/executions`, { code });
    const text = await response.text();
    assert.match(text, /"id":1152921504606846976[,}]/);
    assert.match(text, /"image\/png":"iVA="/);
  });

  it('floods displays: they count as output, and the outcome comes', async () => {
    const outcome = await run('for _ in range(10): display({"text/plain": "x" * 1_000_000}, raw=True)');
    assert.equal(outcome.status, 'ok');
    assert.equal(outcome.displays.length, 4);
    assert.deepEqual(
      outcome.warnings.map(({ code }) => code),
      ['OUTPUT_TRUNCATED'],
    );
  });

  it('hides data in the metadata of displays: that counts as output too', async () => {
    const outcome = await run('for _ in range(3): display(1, metadata={"text/plain": {"a": "x" * 3_000_000}})');
    assert.equal(outcome.status, 'ok');
    assert.equal(outcome.displays.length, 1);
    assert.deepEqual(
      outcome.warnings.map(({ code }) => code),
      ['OUTPUT_TRUNCATED'],
    );
  });

  it('counts what it left out of stdout in bytes, and holds nothing there that was no event', async () => {
    const outcome = await run('print("é" * 4_000_000, end="")');
    let sent = '';
    const replay = await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/${outcome.id}/events`);
    for (const line of (await replay.text()).trimEnd().split('\n')) {
      const event = JSON.parse(line) as SessionEvent;
      if (event.type === 'stdout') sent += event.data;
    }
    assert.equal(Buffer.byteLength(sent), 4 * 1024 * 1024);
    assert.equal(Buffer.byteLength(outcome.stdout), 1024 * 1024);
    assert.deepEqual(outcome.truncated, { stdout: 8_000_000 - 1024 * 1024, stderr: 0 });
  });

  it('catches the interrupt of its deadline: that is a timeout all the same', async () => {
    const code = 'import time\ntry: time.sleep(30)\nexcept BaseException: pass';
    assert.equal((await run(code, { timeoutSeconds: 1 })).status, 'timeout');
  });

  it('asks for input in a thread and goes on for ever: the highest time limit holds', async () => {
    const short = await its.agent.session({ limits: { maxExecutionSeconds: 1 } });
    const code = 'import threading\nthreading.Thread(target=input, daemon=True).start()\nwhile True: pass';
    assert.equal((await its.agent.run(short.id, code)).status, 'timeout');
  });

  it('stops its own process: the deadline holds, and the session comes back', async () => {
    await run('import os, signal, threading');
    await run('threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGSTOP)).start()');
    await sleep(300);
    const stuck = await run('1', { timeoutSeconds: 1 });
    assert.equal(stuck.status, 'timeout');
    assert.equal((await run('1')).status, 'ok');
  });

  it('is interrupted in input(): it ends with KeyboardInterrupt, and the namespace stays', async () => {
    for await (const event of its.agent.events(its.session.id, { code: 'kept = 1\ninput()', id: 'asks' })) {
      if (event.type === 'input_request') await its.agent.post(`/v1/sessions/${its.session.id}/interrupt`, {});
      if (event.type === 'finished') assert.equal(event.status, 'interrupted');
    }
    assert.equal((await run('kept')).result?.data['text/plain'], '1');
  });

  it('puts a file through a link that leads outside: nothing is made there', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'replpool-outside-'));
    await run(`import os; os.symlink(${JSON.stringify(outside)}, "link")`);
    const put = await its.agent.fetch(`/v1/sessions/${its.session.id}/files/link/made/by`, {
      method: 'PUT',
      body: 'x',
    });
    assert.equal(await codeOf(put), 'FILE_NOT_FOUND');
    assert.ok(!existsSync(join(outside, 'made')));
  });

  it('puts a file of an impossible name: the path is to blame', async () => {
    for (const path of ['n'.repeat(300), `${'n/'.repeat(3000)}n`]) {
      const put = await its.agent.fetch(`/v1/sessions/${its.session.id}/files/${path}`, { method: 'PUT', body: 'x' });
      assert.equal(await codeOf(put), 'INVALID_REQUEST');
    }
  });

  it('uploads too much: the next request on the same connection is answered', async () => {
    const small = await its.agent.session({ limits: { disk: '1Mi' } });
    const keepAlive = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    const send = async (method: string, path: string, body: string) => {
      const sent = request(`${its.agent.url}${path}`, { method, agent: keepAlive, headers: its.agent.headers });
      sent.on('error', () => undefined);
      sent.end(body);
      const [response] = await once(sent, 'response');
      response.resume();
      await once(response, 'end');
      return response.statusCode as number;
    };
    for (let n = 0; n < 5; n += 1) {
      assert.equal(await send('PUT', `/v1/sessions/${small.id}/files/big`, 'x'.repeat(3_000_000)), 413);
      assert.equal(await send('POST', `/v1/sessions/${its.session.id}/executions`, '{"code":"1"}'), 200);
    }
    keepAlive.destroy();
  });

  it('leaves while its one-shot session is made: none stays behind', async () => {
    const count = async () =>
      ((await (await its.agent.fetch('/v1/sessions')).json()) as { items: unknown[] }).items.length;
    const before = await count();
    for (let n = 0; n < 20; n += 1) {
      const left = new AbortController();
      const answer = its.agent.fetch('/v1/run', { method: 'POST', body: '{"code":"1"}', signal: left.signal });
      setTimeout(() => left.abort(), n);
      await answer.then((response) => response.text()).catch(() => undefined);
    }
    while ((await count()) > before) await sleep(20);
  });

  it('keeps a channel to a session that is deleted: it hears so and is closed', async () => {
    const client = await new ChannelClient(its.agent, its.session.id).opened();
    await client.wait('hello');
    const closed = once(client.socket, 'close');
    await remove();
    assert.equal((await client.wait('session')).state, 'closed');
    assert.equal((await closed)[0], 1000);
  });

  it('sends the end of a body after the session was deleted: it is gone for that request too', async () => {
    const sent = request(`${its.agent.url}/v1/sessions/${its.session.id}/executions`, {
      method: 'POST',
      headers: its.agent.headers,
    });
    sent.write('{"code":');
    await its.agent.run(its.session.id, '1');
    await remove();
    sent.end('"1"}');
    const [response] = await once(sent, 'response');
    assert.equal(response.statusCode, 404);
    response.resume();
  });

  it('sends an id again over the channel: it hears the end once more, with its number', async () => {
    const client = await new ChannelClient(its.agent, its.session.id).opened();
    const body = { type: 'execute', id: 'once', code: 'print("x" * 100_000)' };
    client.send(body);
    const { seq } = await client.wait('finished');
    const before = client.messages.length;
    client.send(body);
    client.send({ type: 'ping' });
    await client.wait('pong');
    assert.deepEqual(
      client.messages.slice(before).map((message) => [message.type, 'seq' in message ? message.seq : undefined]),
      [
        ['finished', seq],
        ['pong', undefined],
      ],
    );
    client.close();
  });

  it('limits its executions below the default: the default follows, a wrong pair is refused', async () => {
    const short = await its.agent.session({ limits: { maxExecutionSeconds: 1 } });
    assert.equal(short.limits.executionSeconds, 1);
    const wrong = await its.agent.post('/v1/sessions', { limits: { maxExecutionSeconds: 1, executionSeconds: 2 } });
    assert.equal(await codeOf(wrong), 'INVALID_REQUEST');
  });
});

describe('warm-up code', function () {
  this.timeout(60_000);

  it('may print what it likes: that is no word of the agent', async () => {
    const warmupCode = 'print(\'{"event":"failed","message":"not the agent"}\', flush=True)';
    await using agent = await AgentProcess.start({ runtime: { warmupCode }, sessions: { minIdle: 0 } });
    assert.equal((await agent.run((await agent.session()).id, '1')).status, 'ok');
  });

  it('may be killed: the agent says so and tries again later', async () => {
    const warmupCode = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)';
    await assert.rejects(RealAgent.start({ runtime: { warmupCode } }), /ended by (signal )?SIGKILL/);
  });
});
