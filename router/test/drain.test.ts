import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { routerMain } from '../src/index.ts';
import { FakeAgent } from './fake-agent.ts';
import { ids } from './harness.ts';
import { clientFrame } from './ws-frame.ts';

/** A router as a process of its own, as in a container: with nothing on its standard input. */
class RouterProcess implements AsyncDisposable {
  readonly agent: FakeAgent;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  url = '';
  healthUrl = '';

  private constructor(agent: FakeAgent, config: object) {
    this.agent = agent;
    this.child = spawn(process.execPath, ['--conditions=source', routerMain], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.exit = once(this.child, 'exit').then(([code]) => code as number | null);
    this.child.stdin?.write(`${JSON.stringify(config)}\n`);
  }

  /** Resolves when it is ready, with a session that belongs to anybody. */
  static async start(times: { drainSeconds: number; drainDelaySeconds: number }): Promise<RouterProcess> {
    const agent = await new FakeAgent('data-1').start();
    const listen = { host: '127.0.0.1', port: 0 };
    const it = new RouterProcess(agent, {
      ...{ listen, health: listen, auth: { mode: 'none' }, agents: [agent.endpoint] },
      ...times,
    });
    if (it.child.stdout === null) throw new Error('no stdout');
    for await (const line of createInterface({ input: it.child.stdout })) {
      const said = JSON.parse(line) as { event: string; port: number; healthPort: number };
      if (said.event !== 'listening') continue;
      it.url = `http://127.0.0.1:${said.port}`;
      it.healthUrl = `http://127.0.0.1:${said.healthPort}`;
      break;
    }
    while ((await it.readiness()) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    agent.add(ids.a, 'anonymous');
    return it;
  }

  async readiness(): Promise<number> {
    const response = await fetch(`${this.healthUrl}/readyz`);
    await response.body?.cancel();
    return response.status;
  }

  /** Sends the signal; resolves once the router says that it drains. */
  async terminate(): Promise<void> {
    this.child.kill('SIGTERM');
    while ((await this.readiness()) !== 503) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  execute(): Promise<Response> {
    return fetch(`${this.url}/v1/sessions/${ids.a}/executions`, { method: 'POST', body: '{"code":"1"}' });
  }

  /** Resolves with the port once nobody takes a connection there. */
  async refusing(): Promise<void> {
    for (;;) {
      const socket = connect(Number(new URL(this.url).port), '127.0.0.1');
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      });
      socket.destroy();
      if (!isOpen) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async channel(): Promise<WebSocket> {
    const ws = new WebSocket(`${this.url}/v1/sessions/${ids.a}/channel`);
    await once(ws, 'message');
    return ws;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
    await this.agent.kill();
  }
}

/** The socket below, which a test reads and writes past ws. */
const socketOf = (ws: WebSocket): Socket => (ws as unknown as { _socket: Socket })._socket;

const LONGER_THAN_THE_TEST = 3_600;

describe('a router that is told to go', () => {
  it('is not ready at once, and goes on serving with the last answer of each connection', async () => {
    await using it = await RouterProcess.start({
      drainSeconds: LONGER_THAN_THE_TEST,
      drainDelaySeconds: LONGER_THAN_THE_TEST,
    });
    const before = await it.execute();
    assert.deepEqual([before.status, before.headers.get('connection')], [200, 'keep-alive']);
    await it.terminate();
    const after = await it.execute();
    assert.deepEqual([after.status, after.headers.get('connection')], [200, 'close']);
    assert.equal((await fetch(`${it.url}/readyz`)).status, 503);
    const refused = await fetch(`${it.healthUrl}/readyz`);
    assert.equal(((await refused.json()) as { code: string }).code, 'DRAINING');
  });

  it('takes nobody new after a while, lets a running execution finish, and ends', async () => {
    await using it = await RouterProcess.start({ drainSeconds: LONGER_THAN_THE_TEST, drainDelaySeconds: 0 });
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    it.agent.handle = async (_req, res) => {
      started.resolve();
      await finish.promise;
      res.end('{"status":"ok"}');
    };
    const answer = it.execute();
    await started.promise;
    await it.terminate();
    await it.refusing();
    finish.resolve();
    const { status, headers } = await answer;
    assert.deepEqual([status, headers.get('connection')], [200, 'close']);
    assert.equal(await it.exit, 0);
  });

  it('lets a stream come to its end', async () => {
    await using it = await RouterProcess.start({ drainSeconds: LONGER_THAN_THE_TEST, drainDelaySeconds: 0 });
    const finish = Promise.withResolvers<void>();
    it.agent.handle = async (_req, res) => {
      res.write('1\n');
      await finish.promise;
      res.end('2\n');
    };
    const answer = await it.execute();
    await it.terminate();
    await it.refusing();
    finish.resolve();
    assert.equal(await answer.text(), '1\n2\n');
    assert.equal(await it.exit, 0);
  });

  it('closes channels with 1012, behind all that the agent had to say', async () => {
    await using it = await RouterProcess.start({ drainSeconds: LONGER_THAN_THE_TEST, drainDelaySeconds: 0 });
    const ws = await it.channel();
    const big = Buffer.alloc(16 * 1024 * 1024, 'x');
    ws.send(big);
    // The agent begins its echo; most of it is on the way when the router is told.
    await once(socketOf(ws), 'data');
    ws.pause();
    await it.terminate();
    await it.refusing();
    const echo = once(ws, 'message');
    const closed = once(ws, 'close');
    ws.resume();
    assert.ok(big.equals((await echo)[0]));
    assert.equal((await closed)[0], 1012);
    assert.equal(await it.exit, 0);
  });

  it('closes a channel that is in the middle of a message when that is whole', async () => {
    await using it = await RouterProcess.start({ drainSeconds: LONGER_THAN_THE_TEST, drainDelaySeconds: 0 });
    const ws = await it.channel();
    const frame = clientFrame('{"type":"ping"}');
    socketOf(ws).write(frame.subarray(0, 9));
    const echo = once(ws, 'message');
    const closed = once(ws, 'close');
    await it.terminate();
    await it.refusing();
    socketOf(ws).write(frame.subarray(9));
    assert.equal(String((await echo)[0]), '{"type":"ping"}');
    assert.equal((await closed)[0], 1012);
    assert.equal(await it.exit, 0);
  });

  it('ends what is under way at its deadline by an error that may be tried again, and a stream by its breaking off', async () => {
    await using it = await RouterProcess.start({ drainSeconds: 1, drainDelaySeconds: 0 });
    it.agent.handle = (req, res) => {
      if (req.url?.includes('events')) res.write('1\n');
    };
    const execution = it.execute();
    const stream = await fetch(`${it.url}/v1/sessions/${ids.a}/executions/x/events`);
    const text = stream.text().catch(() => 'broke off');
    it.child.kill('SIGTERM');
    const answer = await execution;
    const problem = (await answer.json()) as { code: string; retryable: boolean };
    assert.deepEqual([answer.status, problem.code, problem.retryable], [503, 'DRAINING', true]);
    assert.ok(answer.headers.get('retry-after'));
    assert.equal(await text, 'broke off');
    assert.equal(await it.exit, 0);
  });

  for (const [how, end] of [
    ['a second SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['the end of its parent', (child: ChildProcess) => child.stdin?.end()],
  ] as const) {
    it(`ends by ${how}, whatever is under way`, async () => {
      await using it = await RouterProcess.start({
        drainSeconds: LONGER_THAN_THE_TEST,
        drainDelaySeconds: LONGER_THAN_THE_TEST,
      });
      it.agent.handle = () => undefined;
      const ended = assert.rejects(it.execute());
      await it.terminate();
      end(it.child);
      assert.equal(await it.exit, 0);
      await ended;
    });
  }
});
