import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHANNEL_MSGPACK, type Problem, type Session } from '@replpool/protocol';
import { AgentProcess } from './agent-process.ts';
import { ChannelClient } from './channel-client.ts';
import { RealAgent } from './real-agent.ts';

/** The processes of this test's agent that have a name, by their pids. */
function processes(name: string): number[] {
  const stat = (pid: string) => {
    try {
      const [, comm, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return { pid: Number(pid), comm, state: rest?.split(' ')[0], parent: Number(rest?.split(' ')[1]) };
    } catch {
      return undefined;
    }
  };
  const all = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => stat(pid) ?? []);
  const isOurs = (pid: number): boolean =>
    pid === process.pid || all.some((each) => each.pid === pid && each.parent > 1 && isOurs(each.parent));
  return all.filter((each) => each.comm === name && each.state !== 'Z' && isOurs(each.parent)).map((each) => each.pid);
}

function onlyOne(name: string): number {
  const found = processes(name);
  assert.equal(found.length, 1, `processes called ${name}`);
  return found[0] ?? 0;
}

async function problem(response: Response): Promise<Problem> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  return (await response.json()) as Problem;
}

describe('an agent under failures', function () {
  this.timeout(120_000);
  let agent: RealAgent;
  let session: Session;

  beforeEach(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0 } });
    session = await agent.session();
  });
  afterEach(() => agent.close());

  const dieTimes = async (times: number) => {
    for (let n = 0; n < times; n += 1) {
      const { error } = await agent.run(session.id, 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)');
      assert.ok(error && 'reason' in error && error.reason === 'signal');
    }
  };

  it('replaces a zygote that was killed; its sessions go on, new ones are told to wait', async () => {
    await agent.run(session.id, 'x = 41');
    process.kill(onlyOne('replpool-zygote'), 'SIGKILL');
    assert.equal((await agent.run(session.id, 'x + 1')).result?.data['text/plain'], '42');
    for (;;) {
      const response = await agent.post('/v1/sessions', {});
      if (response.status === 201) break;
      const { code } = await problem(response);
      assert.ok(code === 'WARMING' || code === 'WORKER_FAILED', code);
      if (code === 'WARMING') assert.ok(Number(response.headers.get('retry-after')) > 0);
      await sleep(50);
    }
    onlyOne('replpool-zygote');
  });

  it('says so when its launcher was killed, and every worker goes with it', async () => {
    process.kill(onlyOne('replpool-launch'), 'SIGKILL');
    assert.match((await agent.lost).message, /launcher/);
    while ([...processes('replpool-worker'), ...processes('replpool-zygote')].length > 0) await sleep(10);
  });

  it('opens a circuit breaker after three deaths in a minute, and a restart closes it', async () => {
    await dieTimes(3);
    const refused = await agent.post(`/v1/sessions/${session.id}/executions`, { code: '1' });
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await problem(refused)).code, 'CIRCUIT_OPEN');
    const restarted = await agent.post(`/v1/sessions/${session.id}/restart`, {});
    assert.equal(restarted.status, 200);
    assert.equal(((await restarted.json()) as Session).state, 'idle');
    assert.equal((await agent.run(session.id, '1')).status, 'ok');
  });

  it('joins restarts that come at once: one new worker, one higher state epoch', async () => {
    const restarts = await Promise.all([1, 2, 3].map(() => agent.post(`/v1/sessions/${session.id}/restart`, {})));
    for (const response of restarts) assert.equal(((await response.json()) as Session).stateEpoch, 2);
    assert.equal((await agent.run(session.id, '1')).status, 'ok');
    onlyOne('replpool-worker');
  });

  it('keeps no worker of a session that is deleted during its restart', async () => {
    const restart = agent.post(`/v1/sessions/${session.id}/restart`, {});
    const deleted = agent.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' });
    assert.equal((await deleted).status, 204);
    assert.ok([200, 404].includes((await restart).status));
    while (processes('replpool-worker').length > 0) await sleep(10);
  });

  it('names the signal that killed a worker during a flood of output, and has all that it wrote until then', async () => {
    const code = 'import os, signal\nfor n in range(20000): print(n)\nos.kill(os.getpid(), signal.SIGKILL)';
    const outcome = await agent.run(session.id, code);
    assert.equal(outcome.status, 'killed');
    const expected = Array.from({ length: 20_000 }, (_, n) => `${n}\n`).join('');
    // What was still in the code's own buffer died with it; what arrived is a beginning without a hole.
    assert.ok(expected.startsWith(outcome.stdout) && outcome.stdout.length > 0);
  });

  it('ends a pending input() when the worker is killed in it', async () => {
    for await (const event of agent.events(session.id, { code: 'input("? ")', id: 'asks' })) {
      if (event.type === 'input_request') process.kill(onlyOne('replpool-worker'), 'SIGKILL');
      if (event.type === 'finished') assert.equal(event.status, 'killed');
    }
    const late = await agent.post(`/v1/sessions/${session.id}/executions/asks/input`, { value: 'late' });
    assert.equal(late.status, 409);
    assert.equal((await problem(late)).code, 'NO_INPUT_PENDING');
  });
});

describe('slow clients', function () {
  this.timeout(240_000);

  it('hold nothing up and cost no memory; who reads again gets a gap for what is no longer held, then all the rest', async () => {
    await using agent = await AgentProcess.start({ sessions: { minIdle: 0, limits: { outputBytes: 2 ** 30 } } });
    const { id } = await agent.session();
    const slow = await new ChannelClient(agent, id, { protocols: [CHANNEL_MSGPACK] }).opened();
    await slow.wait('hello');
    slow.socket.pause();
    // A paused socket does not see that its agent is gone, and would keep the test's process for ever.
    using _ended = { [Symbol.dispose]: () => slow.socket.terminate() };
    const stalled = await agent.post(
      `/v1/sessions/${id}/executions`,
      { code: 'print("stalled")' },
      { accept: 'application/x-ndjson' },
    );
    await stalled.body?.cancel();
    // More than the ring in memory and the files on disk hold together.
    const before = agent.residentBytes;
    const runner = await new ChannelClient(agent, id, { keep: false }).opened();
    for (let n = 0; n < 10; n += 1) {
      const outcome = await runner.execute(`flood-${n}`, 'line = "x" * 1023\nfor _ in range(32 * 1024): print(line)')
        .finished;
      assert.equal(outcome.status, 'ok');
    }
    const grown = agent.residentBytes - before;
    assert.ok(grown < 150_000_000, `the agent has grown by ${grown} bytes`);
    runner.close();
    slow.socket.resume();
    const gap = await slow.wait('gap');
    await slow.wait('finished', (event) => event.execution === 'flood-9');
    const after = slow.seqs.slice(slow.seqs.indexOf(gap.to));
    assert.deepEqual(
      after,
      after.map((_, index) => gap.to + index),
    );
    const held = slow.seqs.slice(0, slow.seqs.indexOf(gap.to));
    assert.equal(held.at(-1), gap.from - 1);
    slow.close();
    await once(slow.socket, 'close');
  });
});

describe('a full disk', function () {
  this.timeout(120_000);
  const disk = 8 * 1024 * 1024;

  before(function () {
    const args = ['--user', '--map-root-user', '--mount', 'true'];
    if (spawnSync('unshare', args).status === 0) return;
    console.log('      skipped: a file system of its own needs user namespaces, which this machine forbids');
    this.skip();
  });

  it('fails what needs it with a reason, loses no event that was promised, and is over when there is room again', async () => {
    await using agent = await AgentProcess.start({ sessions: { minIdle: 0 } }, { disk });
    const { id } = await agent.session();
    await agent.run(id, 'x = 41');
    const fill = await agent.run(id, 'f = open("fill", "wb", 0)\nwhile True: f.write(bytes(4096))');
    assert.ok(fill.error && 'name' in fill.error);
    assert.equal(fill.error.name, 'OSError');
    const put = await agent.fetch(`/v1/sessions/${id}/files/other`, { method: 'PUT', body: 'x'.repeat(100_000) });
    assert.equal(put.status, 500);
    assert.match((await problem(put)).why, /no space left/);
    // A session needs folders and FIFOs, which take no blocks.
    assert.equal((await agent.post('/v1/sessions', {})).status, 201);
    // 24 MiB of events have no room on the disk: they run through the ring.
    const flood = await agent.run(id, 'for _ in range(24): print("y" * 2**20)');
    assert.equal(flood.status, 'ok');
    assert.equal((await agent.run(id, 'x + 1')).result?.data['text/plain'], '42');
    assert.equal((await agent.fetch(`/v1/sessions/${id}/files/fill`, { method: 'DELETE' })).status, 204);
    assert.equal((await agent.run(id, 'f.close()')).status, 'ok');
    const again = await agent.fetch(`/v1/sessions/${id}/files/other`, { method: 'PUT', body: 'x'.repeat(100_000) });
    assert.equal(again.status, 201);
  });
});
