import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AgentConfig,
  INTERNAL_DRAIN_PATH,
  INTERNAL_STREAM_PATH,
  type Problem,
  type ReplPoolSpecInput,
  replPoolSpecSchema,
} from '@replpool/protocol';
import { agentMain, agentNodeOptions } from '../src/index.ts';
import { AgentClient, TOKEN } from './agent-client.ts';
import { python } from './python.ts';

/** An agent started as a container starts it: by a file and the name of its pod, with nothing on its stdin. */
class ContainedAgent extends AgentClient implements AsyncDisposable {
  readonly healthUrl: string;
  readonly exited: Promise<unknown[]>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, exited: Promise<unknown[]>, port: number, healthPort: number) {
    super(`http://127.0.0.1:${port}`);
    this.#child = child;
    this.exited = exited;
    this.healthUrl = `http://127.0.0.1:${healthPort}`;
  }

  static async start(
    spec: ReplPoolSpecInput,
    folder = mkdtempSync(join(tmpdir(), 'replpool-')),
  ): Promise<ContainedAgent> {
    const config: Omit<AgentConfig, 'pod'> = {
      pool: 'default',
      listen: { host: '127.0.0.1', port: 0 },
      health: { host: '127.0.0.1', port: 0 },
      token: TOKEN,
      spec: replPoolSpecSchema.parse(spec),
      python: python(),
      runDirectory: join(folder, 'run'),
    };
    const file = join(folder, 'agent.json');
    writeFileSync(file, JSON.stringify(config));
    const args = [...agentNodeOptions, '--conditions=source', agentMain, '--config', file, '--pod', 'default-abc12'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    let ports = { port: 0, healthPort: 0 };
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as { event: string; port: number; healthPort: number; message?: string };
      if (said.event === 'failed') throw new Error(said.message);
      if (said.event === 'listening') ports = said;
      if (said.event === 'ready') return new ContainedAgent(child, exited, ports.port, ports.healthPort);
    }
    throw new Error('the agent ended before it was ready');
  }

  /** Sends SIGTERM; resolves when the agent has told its routers that it drains. */
  async drain(): Promise<void> {
    const stream = await this.fetch(INTERNAL_STREAM_PATH);
    this.terminate();
    let text = '';
    for await (const chunk of (stream.body ?? []) as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.includes('"draining":true')) return;
    }
    throw new Error('the agent ended without a word that it drains');
  }

  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}

describe('an agent in a container', function () {
  this.timeout(60_000);
  const none = { isolation: { level: 'None', cgroups: 'None' } } as const;

  it('has the name of its pod from its command line, and health on a port of its own', async () => {
    await using agent = await ContainedAgent.start({ ...none });
    assert.equal((await agent.session()).pod, 'default-abc12');
    for (const path of ['/healthz', '/readyz']) assert.equal((await fetch(agent.healthUrl + path)).status, 200);
    assert.match(await (await fetch(`${agent.healthUrl}/metrics`)).text(), /^replpool_sessions\{.*state="idle"\} 1$/m);
  });

  it('starts where an agent before it was killed, and keeps nothing of that one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replpool-'));
    const stale = join(folder, 'run', 'sessions', 'stale');
    mkdirSync(stale, { recursive: true });
    writeFileSync(join(folder, 'run', 'agent.sock'), '');
    await using agent = await ContainedAgent.start({ ...none }, folder);
    await agent.session();
    assert.ok(!existsSync(stale));
  });

  it('ends on SIGTERM when it has no session', async () => {
    await using agent = await ContainedAgent.start({ ...none });
    agent.terminate();
    assert.deepEqual(await agent.exited, [0, null]);
  });

  it('admits nothing new on SIGTERM, serves the sessions that it has, and ends with the last of them', async () => {
    await using agent = await ContainedAgent.start({ ...none });
    const busy = await agent.session();
    const idle = await agent.session();
    const running = agent.run(busy.id, 'answer = input()\nanswer', { id: 'asks' });
    await agent.run(idle.id, 'x = 41');
    await agent.drain();

    const refused = await agent.post('/v1/sessions', {});
    assert.deepEqual([refused.status, ((await refused.json()) as Problem).code], [503, 'DRAINING']);
    assert.equal((await agent.run(idle.id, 'x + 1')).result?.data['text/plain'], '42');
    assert.equal((await fetch(`${agent.healthUrl}/readyz`)).status, 200, 'routers must go on finding its sessions');
    assert.equal((await agent.post(`/v1/sessions/${busy.id}/executions/asks/input`, { value: 'done' })).status, 204);
    assert.equal((await running).result?.data['text/plain'], "'done'");

    for (const { id } of [busy, idle]) {
      assert.equal((await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
    }
    assert.deepEqual(await agent.exited, [0, null]);
  });

  it('kills what still runs at the deadline with the reason `drain`, and says so before it ends', async () => {
    await using agent = await ContainedAgent.start({ ...none, update: { drainSeconds: 1 } });
    const { id } = await agent.session();
    const running = agent.run(id, 'import time\nwhile True: time.sleep(1)');
    await agent.drain();
    const { status, error } = await running;
    assert.equal(status, 'killed');
    assert.ok(error && 'reason' in error);
    assert.equal(error.reason, 'drain');
    assert.deepEqual(await agent.exited, [0, null]);
  });

  it('has one deadline, from when the operator told it first to when the kubelet does', async () => {
    const drainSeconds = 2;
    await using agent = await ContainedAgent.start({ ...none, update: { drainSeconds } });
    const { id } = await agent.session();
    assert.equal((await agent.post(INTERNAL_DRAIN_PATH, {})).status, 200);
    await sleep(drainSeconds * 1000);
    let status: string | undefined;
    // A second one would be long enough for this.
    for await (const event of agent.events(id, { code: `import time; time.sleep(${drainSeconds - 0.2})` })) {
      if (event.type === 'started') agent.terminate();
      if (event.type === 'finished') status = event.status;
    }
    assert.equal(status, 'killed');
    assert.deepEqual(await agent.exited, [0, null]);
  });

  it('is not drained by an order to the pod that had its address before', async () => {
    await using agent = await ContainedAgent.start({ ...none });
    const order = async (pod: string) => (await agent.post(`${INTERNAL_DRAIN_PATH}?pod=${pod}`, {})).status;
    assert.equal(await order('default-xyz98'), 400);
    await agent.session();
    assert.equal(await order('default-abc12'), 200);
    assert.equal((await agent.post('/v1/sessions', {})).status, 503);
  });

  it('does not call itself empty while a session is on its way', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replpool-'));
    const warmupCode = `import os, time
def wait():
    open('${folder}/forked', 'w').close()
    while not os.path.exists('${folder}/go'): time.sleep(0.01)
os.register_at_fork(after_in_child=wait)`;
    await using agent = await ContainedAgent.start({ ...none, sessions: { minIdle: 0 }, runtime: { warmupCode } });
    const active = async () =>
      ((await (await agent.post(INTERNAL_DRAIN_PATH, {})).json()) as { active: number }).active;
    const session = agent.session();
    while (!existsSync(join(folder, 'forked'))) await sleep(10);
    assert.equal(await active(), 1);
    writeFileSync(join(folder, 'go'), '');
    const { id } = await session;
    assert.equal(await active(), 1);
    assert.equal((await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
    assert.equal(await active(), 0);
  });

  it('ends at once when it is told twice', async () => {
    await using agent = await ContainedAgent.start({ ...none, update: { drainSeconds: 86_400 } });
    await agent.session();
    await agent.drain();
    agent.terminate();
    assert.deepEqual(await agent.exited, [0, null]);
  });
});
