import assert from 'node:assert/strict';
import type { Session } from '@replpool/protocol';
import { AgentProcess } from './agent-process.ts';
import { ChannelClient } from './channel-client.ts';
import { RealAgent } from './real-agent.ts';

const MIB = 1024 * 1024;

describe('output and input', function () {
  this.timeout(120_000);
  let agent: RealAgent;
  let session: Session;
  let client: ChannelClient;

  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 2 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await agent.session();
    client = await new ChannelClient(agent, session.id).opened();
  });
  afterEach(async () => {
    client.close();
    await agent.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' });
  });

  const text = async (code: string, body: Record<string, unknown> = {}) =>
    (await agent.run(session.id, code, body)).result?.data['text/plain'];

  it('takes 1 GiB under the output limit: the beginning is kept, a warning says so, and memory does not grow', async () => {
    await using own = await AgentProcess.start({ sessions: { minIdle: 0, limits: { outputBytes: 16 * MIB } } });
    const { id } = await own.session();
    await own.run(id, 'import os, sys\nblock = b"x" * 2**20');
    const before = own.residentBytes;
    const code =
      'for _ in range(1024):\n    rest = block\n    while rest: rest = rest[os.write(1, rest):]\nprint("end")';
    const outcome = await own.run(id, code);
    const grown = own.residentBytes - before;
    assert.equal(outcome.status, 'ok');
    assert.deepEqual(
      outcome.warnings.map((warning) => warning.code),
      ['OUTPUT_TRUNCATED'],
    );
    assert.equal(outcome.stdout, 'x'.repeat(MIB));
    assert.deepEqual(outcome.truncated, { stdout: 1024 * MIB + 4 - MIB, stderr: 0 });
    const replay = await (await own.fetch(`/v1/sessions/${id}/executions/${outcome.id}/events`)).text();
    const sizes = replay.split('\n').flatMap((line) => {
      const event = line === '' ? undefined : (JSON.parse(line) as { type: string; data: string });
      return event?.type === 'stdout' ? [event.data.length] : [];
    });
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      16 * MIB,
    );
    // The event log's ring, and what the collector has not taken yet; not the gigabyte.
    assert.ok(grown < 200 * MIB, `grown by ${grown} bytes`);
    assert.equal((await own.run(id, 'print("next")')).stdout, 'next\n');
  });

  it('escapes bytes that are no UTF-8, wherever a read cuts them, and never breaks the stream', async () => {
    const code =
      'import os\nos.write(1, b"a\\xffb\\xe2\\x82")\nos.write(1, b"\\xac\\xf0\\x9f\\x98\\x80\\x00\\n")\nos.write(2, b"\\xc3")';
    const outcome = await agent.run(session.id, code);
    assert.deepEqual([outcome.stdout, outcome.stderr], ['a\\xffb€😀\0\n', '\\xc3']);
    assert.equal((await agent.run(session.id, 'import sys; sys.stderr.buffer.write(b"\\xa9"); 1')).stderr, '\\xa9');
    const all = await agent.run(session.id, 'os.write(1, bytes(range(256)) * 64); None');
    const expected = Array.from({ length: 256 }, (_, n) => (n < 128 ? String.fromCharCode(n) : `\\x${n.toString(16)}`));
    assert.equal(all.stdout, expected.join('').repeat(64));
  });

  it('passes a progress bar on as it moves, carriage returns included', async () => {
    const code =
      'import sys\nfor n in range(3):\n    print(f"\\r{n}/3", end="", file=sys.stderr, flush=True)\n    input()';
    const { finished } = client.execute('bar', code);
    for (let n = 0; n < 3; n += 1) {
      const { seq } = await client.wait('stderr', ({ data }) => data === `\r${n}/3`);
      await client.wait('input_request', (event) => event.seq > seq);
      client.send({ type: 'input', execution: 'bar', value: '' });
    }
    assert.equal((await finished).stderr, '\r0/3\r1/3\r2/3');
  });

  it('gives what a thread writes after the end to the session, without an execution', async () => {
    const code =
      'import os, threading, time\ndef late():\n    while not os.path.exists("go"): time.sleep(0.01)\n' +
      '    print("late", flush=True)\nthreading.Thread(target=late, daemon=True).start()';
    assert.equal((await agent.run(session.id, code)).stdout, '');
    await agent.fetch(`/v1/sessions/${session.id}/files/go`, { method: 'PUT', body: '' });
    const event = await client.wait('stdout', ({ data }) => data === 'late\n');
    assert.equal(event.execution, undefined);
  });

  it('keeps a question when its client leaves: another answers, over HTTP or a channel', async () => {
    const code = 'first = input("a? ")\nsecond = __import__("sys").stdin.readline()\nfirst + second';
    const { seq } = await client.wait('hello');
    client.send({ type: 'execute', id: 'asks', code });
    assert.equal((await client.wait('input_request')).prompt, 'a? ');
    client.socket.terminate();
    const answer = await agent.post(`/v1/sessions/${session.id}/executions/asks/input`, { value: 'by HTTP, ' });
    assert.equal(answer.status, 204);
    const other = await new ChannelClient(agent, session.id, { from: seq }).opened();
    await other.wait('input_request', ({ prompt }) => prompt === '');
    other.send({ type: 'input', execution: 'asks', value: 'by another' });
    const { outcome } = await other.wait('finished');
    assert.equal(outcome.result?.data['text/plain'], "'by HTTP, by another\\n'");
    other.close();
  });

  it('tells how each question ended', async () => {
    const reasons = () => client.messages.flatMap((each) => (each.type === 'input_done' ? [each.reason] : []));
    const code = 'input()\ntry: input()\nexcept EOFError: pass\ninput()';
    const { finished } = client.execute('asks', code);
    const questions = (from: number) => client.wait('input_request', ({ seq }) => seq > from);
    let { seq } = await questions(0);
    client.send({ type: 'input', execution: 'asks', value: 'x' });
    ({ seq } = await questions(seq));
    client.send({ type: 'input', execution: 'asks', eof: true });
    await questions(seq);
    client.send({ type: 'interrupt' });
    assert.equal((await finished).status, 'interrupted');
    assert.deepEqual(reasons(), ['answered', 'eof', 'cancelled']);
  });

  it('reads `stdin` to the letter, by input() and sys.stdin alike', async () => {
    const stdin = 'one\ntwo\nthree\nfour';
    const code =
      'import sys\n[input(), sys.stdin.readline(), sys.stdin.read(2), input(), sys.stdin.read(), sys.stdin.read()]';
    assert.equal(await text(code, { stdin }), "['one', 'two\\n', 'th', 'ree', 'four', '']");
    assert.equal(await text('sys.stdin.read()', { stdin: 'a\n\nb\n' }), "'a\\n\\nb\\n'");
    assert.equal(await text('list(sys.stdin)', { stdin: '' }), '[]');
    assert.equal(await text('import getpass; getpass.getpass()', { stdin: 'secret' }), "'secret'");
    assert.equal(await text('len(sys.stdin.read())', { stdin: 'line\n'.repeat(20_000) }), '100000');
  });

  it('asks with a password where getpass does', async () => {
    const { finished } = client.execute('asks', 'import getpass; len(getpass.getpass("secret: "))');
    const { prompt, password } = await client.wait('input_request');
    assert.deepEqual([prompt, password], ['secret: ', true]);
    client.send({ type: 'input', execution: 'asks', value: '12345' });
    assert.equal((await finished).result?.data['text/plain'], '5');
  });

  it('answers threads and tasks that wait at once, the oldest first', async () => {
    const code =
      'import asyncio\nawait asyncio.gather(*(asyncio.to_thread(lambda n=n: (n, input(str(n)))) for n in range(3)))';
    const { finished } = client.execute('asks', code);
    const prompts: string[] = [];
    for (let n = 0, from = 0; n < 3; n += 1) {
      const event = await client.wait('input_request', ({ seq }) => seq > from);
      from = event.seq;
      prompts.push(event.prompt);
    }
    for (const prompt of prompts) client.send({ type: 'input', execution: 'asks', value: `to ${prompt}` });
    assert.equal((await finished).result?.data['text/plain'], "[(0, 'to 0'), (1, 'to 1'), (2, 'to 2')]");
  });

  it('ends every wait of an interrupted execution, those of its threads included', async () => {
    const code = 'import threading\nt = threading.Thread(target=input, args=("thread",)); t.start()\ninput("main")';
    const { finished } = client.execute('asks', code);
    await client.wait('input_request', ({ prompt }) => prompt === 'thread');
    await client.wait('input_request', ({ prompt }) => prompt === 'main');
    client.send({ type: 'interrupt' });
    assert.equal((await finished).status, 'interrupted');
    assert.equal(await text('t.join(); t.is_alive()'), 'False');
  });
});
