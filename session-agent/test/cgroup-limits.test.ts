import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Session } from '@replpool/protocol';
import { keyedNumber } from '../src/cgroup/cgroup-file.ts';
import { askForCgroup } from '../src/cgroup/delegation.ts';
import { AgentProcess } from './agent-process.ts';
import { PodCgroup } from './pod-cgroup.ts';
import { DAEMON, FORK_BOMB } from './unruly-code.ts';
import { userPython } from './user-python.ts';

/** A user without rights. */
const NOBODY = 65_534;

const BUSY = `
import time
end = time.process_time() + 1
while time.process_time() < end:
    pass
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('sessions in cgroups of a container that was delegated', function () {
  this.timeout(600_000);
  let pod: PodCgroup;
  let agent: AgentProcess;

  const start = (cgroups: 'Delegate' | 'Privileged' = 'Delegate', minIdle = 0) =>
    AgentProcess.start({ isolation: { cgroups }, sessions: { minIdle, maxPerPod: 200 } }, pod.startContainer());

  before(async function () {
    const reason = PodCgroup.unavailable;
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      this.skip();
    }
    pod = new PodCgroup(`replpool-test-${process.pid}`);
    console.log(`      cgroup ${pod.version}`);
    await pod.startDelegate(0);
    agent = await start();
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await pod?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    const { items } = (await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] };
    for (const { id } of items) await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' });
    // A worker that a recovering session was about to get ends by itself.
    while (pod.names.length > 0) await nextTurn();
  });

  it('says which cgroups hold its limits, and does not name them as missing', async () => {
    const { isolation } = await agent.session();
    assert.equal(isolation.cgroups, pod.version);
    for (const wall of ['memory', 'cpu', 'processes', 'leftover_processes'] as const) {
      assert.ok(!isolation.missing.includes(wall), wall);
    }
  });

  it('have the limits that the session was made with, before its first code runs', async () => {
    const { id } = await agent.session({ limits: { memory: '64Mi', cpu: '500m', processes: 20 } });
    const of = (controller: string, ...files: string[]) => files.map((file) => pod.read(controller, file).trim());
    const v2 = pod.version === 'v2';
    assert.deepEqual(of('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes'), ['67108864']);
    assert.deepEqual(
      v2 ? of('cpu', 'cpu.max') : of('cpu', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'),
      v2 ? ['50000 100000'] : ['50000', '100000'],
    );
    assert.deepEqual(of('pids', 'pids.max'), ['20']);
    const code = "open('/proc/self/cgroup').read().count('/sessions/')";
    const { result } = await agent.run(id, code);
    assert.equal(result?.data['text/plain'], v2 ? '1' : '4');
  });

  it('that allocate beyond their memory die alone, named oom, while the neighbours answer', async () => {
    const neighbour = await agent.session();
    await agent.run(neighbour.id, 'kept = 41');
    const { id } = await agent.session({ limits: { memory: '128Mi' } });
    const death = agent.run(id, "data = b'x' * (512 << 20)");
    assert.equal((await agent.run(neighbour.id, 'kept + 1')).result?.data['text/plain'], '42');
    const { status, error } = await death;
    assert.equal(status, 'killed');
    assert.ok(error && 'reason' in error, JSON.stringify(error));
    assert.equal(error.reason, 'oom', error.message);
    assert.equal((await agent.run(neighbour.id, 'kept + 2')).result?.data['text/plain'], '43');
    assert.equal((await agent.run(id, '1 + 1')).result?.data['text/plain'], '2');
    const metrics = await (await agent.fetch('/metrics')).text();
    assert.match(metrics, /replpool_limit_hits_total\{pool="default",limit="memory"\} 1/);
  });

  it('go back to before a transaction that ran out of memory, again and again, and keep their limits', async () => {
    const { id, stateEpoch } = await agent.session({ limits: { memory: '128Mi', processes: 24 } });
    await agent.run(id, 'data = [1]');
    const transaction = { policy: 'rollback_on_failure' };
    for (let n = 0; n < 3; n += 1) {
      const {
        status,
        error,
        transaction: told,
      } = await agent.run(id, "data.append(2); more = b'x' * (512 << 20)", {
        transaction,
      });
      assert.deepEqual([status, told?.outcome, told?.snapshot], ['killed', 'rolled_back', 'fork']);
      assert.ok(error && 'reason' in error && error.reason === 'oom', JSON.stringify(error));
      assert.equal((await agent.run(id, 'data')).result?.data['text/plain'], '[1]');
    }
    const { error } = await agent.run(id, 'import os; os.kill(os.getpid(), 9)', { transaction });
    assert.ok(error && 'reason' in error && error.reason === 'signal', JSON.stringify(error));
    assert.equal((await agent.run(id, 'data')).result?.data['text/plain'], '[1]');
    assert.equal(pod.names.length, 1);
    assert.equal(pod.read('pids', 'pids.max').trim(), '24');
    const session = (await (await agent.fetch(`/v1/sessions/${id}`)).json()) as Session;
    assert.deepEqual([session.stateEpoch, session.state], [stateEpoch, 'idle']);
    assert.ok((session.usage.memoryBytes ?? 0) < 128 << 20);
  });

  it('end with a rollback what its code left behind, wherever that hides', async () => {
    const { id } = await agent.session();
    const told = DAEMON.replace('int(os.read(reader, 32))', 'print(int(os.read(reader, 32)))');
    const { stdout } = await agent.run(id, `${told}1/0`, { transaction: { policy: 'rollback_on_failure' } });
    const pid = Number(/\d+/.exec(stdout)?.[0]);
    assert.ok(pid > 1, stdout);
    assert.ok(!isAlive(pid));
    assert.equal((await agent.run(id, '1 + 1')).result?.data['text/plain'], '2');
  });

  it('that kill themselves are not named oom', async () => {
    const { id } = await agent.session();
    const { error } = await agent.run(id, 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)');
    assert.ok(error && 'reason' in error);
    assert.equal(error.reason, 'signal');
  });

  it('that fork 200 processes get an error at their limit, and live', async () => {
    const { id } = await agent.session({ limits: { processes: 32 } });
    const { error } = await agent.run(id, FORK_BOMB);
    assert.ok(error && 'name' in error, JSON.stringify(error));
    assert.equal(error.name, 'BlockingIOError');
    assert.equal(pod.read('pids', 'pids.current').trim(), '32');
    assert.equal((await agent.run(id, '1 + 1')).result?.data['text/plain'], '2');
  });

  it('with half a core get half of every period, by the count of the kernel', async () => {
    const { id } = await agent.session({ limits: { cpu: '500m' } });
    const count = () => {
      const stat = pod.read('cpu', 'cpu.stat');
      const number = (key: string) => keyedNumber(stat, key) ?? 0;
      const usedUs = pod.version === 'v2' ? number('usage_usec') : Number(pod.read('cpuacct', 'cpuacct.usage')) / 1000;
      return { usedUs, periods: number('nr_periods'), throttled: number('nr_throttled') };
    };
    const before = count();
    assert.equal((await agent.run(id, BUSY)).status, 'ok');
    const after = count();
    const [usedUs, periods] = [after.usedUs - before.usedUs, after.periods - before.periods];
    assert.ok(usedUs >= 1_000_000, `${usedUs} µs`);
    assert.ok(after.throttled > before.throttled);
    // The first and the last period are counted in part; unused slices of a period may be used in the next.
    assert.ok(usedUs <= (periods + 2) * 50_000 * 1.1, `${usedUs} µs in ${periods} periods of 100 ms`);
  });

  it('take along a daemon that left session, parents and environment', async () => {
    const { id } = await agent.session();
    const pid = Number((await agent.run(id, DAEMON)).result?.data['text/plain']);
    assert.ok(pid > 1 && isAlive(pid));
    await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' });
    assert.ok(!isAlive(pid));
  });

  it('lose such a daemon at a restart too', async () => {
    const { id } = await agent.session();
    const pid = Number((await agent.run(id, DAEMON)).result?.data['text/plain']);
    assert.ok(isAlive(pid));
    assert.equal((await agent.post(`/v1/sessions/${id}/restart`, {})).status, 200);
    assert.ok(!isAlive(pid));
  });

  it('tell what all their processes use', async () => {
    const { id } = await agent.session();
    await agent.run(id, "data = b'x' * (50 << 20)");
    const { usage } = (await (await agent.fetch(`/v1/sessions/${id}`)).json()) as Session;
    assert.ok((usage.memoryBytes ?? 0) >= 50 << 20, `${usage.memoryBytes}`);
    assert.ok(usage.cpuMs > 0);
    await agent.run(id, 'del data');
    const { usage: later } = (await (await agent.fetch(`/v1/sessions/${id}`)).json()) as Session;
    if (later.memoryPeakBytes !== undefined) assert.ok(later.memoryPeakBytes >= 50 << 20);
    assert.ok(later.cpuMs >= usage.cpuMs);
  });

  it('leave no cgroup, 100 of them', async () => {
    let left = 100;
    const lanes = Array.from({ length: 4 }, async () => {
      while (left > 0) {
        left -= 1;
        const { id } = await agent.session();
        assert.equal((await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
      }
    });
    await Promise.all(lanes);
    assert.deepEqual(pod.names, []);
  });

  it('are there again after the agent’s container has started again, in a cgroup that is new', async () => {
    await agent.kill();
    agent = await start();
    const { id } = await agent.session({ limits: { processes: 32 } });
    assert.equal(pod.read('pids', 'pids.max').trim(), '32');
    assert.equal((await agent.run(id, '1 + 1')).result?.data['text/plain'], '2');
  });

  it('are there without a delegate for an agent that may make them itself', async () => {
    await using other = await start('Privileged');
    await other.session({ limits: { processes: 32 } });
    assert.equal(pod.read('pids', 'pids.max').trim(), '32');
  });

  it('hold for an agent without rights, in a cgroup namespace that hides their names', async function () {
    const found = userPython(NOBODY);
    if (found === undefined) {
      console.log('      skipped: only root may read this checkout, or run its Python');
      return this.skip();
    }
    await pod.startDelegate(NOBODY);
    await using other = await AgentProcess.start(
      { isolation: { cgroups: 'Delegate' }, sessions: { minIdle: 0 } },
      { ...pod.startContainer(), hidesCgroups: true, user: { uid: NOBODY, ...found } },
    );
    const { id, isolation } = await other.session({ limits: { memory: '128Mi' } });
    assert.equal(isolation.cgroups, pod.version);
    const { error } = await other.run(id, "data = b'x' * (512 << 20)");
    assert.ok(error && 'reason' in error, JSON.stringify(error));
    assert.equal(error.reason, 'oom');
    const pid = Number((await other.run(id, DAEMON)).result?.data['text/plain']);
    assert.ok(isAlive(pid));
    assert.equal((await other.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
    assert.ok(!isAlive(pid));
  });

  it('are not given without a bound: on v2 nobody uses up the node’s cgroups by making empty ones', async function () {
    if (pod.version === 'v1') {
      console.log('      skipped: v1 knows no such bound');
      return this.skip();
    }
    await using bounded = new PodCgroup(`replpool-test-${process.pid}-c`);
    await bounded.startDelegate(NOBODY, 3);
    const { delegation } = bounded.startContainer();
    await askForCgroup(delegation, bounded.pathOf());
    const container = join('/sys/fs/cgroup', bounded.pathOf());
    const make = (path: string) => mkdirSync(join(container, path));
    make('sessions');
    make('sessions/a');
    assert.throws(() => make('sessions/a/deeper'), { code: 'EAGAIN' });
    make('sessions/b');
    assert.throws(() => make('sessions/c'), { code: 'EAGAIN' });
    const isRoots = (file: string) => assert.equal(statSync(join(container, file)).uid, 0, file);
    for (const file of ['cgroup.max.descendants', 'cgroup.max.depth', 'memory.max']) isRoots(file);
    assert.equal(statSync(container).uid, NOBODY);
  });

  it('hold a warm fork before it is anybody’s', async () => {
    await using other = await start('Privileged', 1);
    for (;;) {
      if (pod.names.length === 1 && pod.read('pids', 'cgroup.procs').trim() !== '') break;
      await nextTurn();
    }
    assert.ok(other.pid > 0);
  });

  it('are given to nobody who asks for more than a container of his own pod', async () => {
    await using stranger = new PodCgroup(`replpool-test-${process.pid}-b`);
    stranger.startContainer();
    const ask = (path: string) => askForCgroup(pod.delegation, path, 5_000);
    await assert.rejects(ask(stranger.pathOf()), /is not of this pod/);
    await assert.rejects(ask(pod.pathOf('delegate')), /is not of this pod/);
    await assert.rejects(ask(pod.pathOf('none')), /is not of this pod/);
    await assert.rejects(ask(dirname(pod.pathOf())), /is not of this pod/);
    const raw = (request: string) => writeFileSync(join(pod.delegation, 'requests'), `${request}\n`);
    for (const path of [`${pod.pathOf()}/../../${stranger.pathOf()}`, '', 'relative', '/a b', '/$(id)', '/']) {
      raw(`a5ced ${path}`);
      while (!readAnswer(pod).startsWith('a5ced no cgroup was named') && !/that is no name/.test(readAnswer(pod)))
        await nextTurn();
      await ask(pod.pathOf());
    }
  });
});

function readAnswer(pod: PodCgroup): string {
  return readFileSync(join(pod.delegation, 'answer'), 'utf8');
}

describe('cgroups that are demanded', function () {
  this.timeout(120_000);
  it('Delegate: an agent does not wait for ever for a delegate that is silent', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replpool-'));
    await assert.rejects(askForCgroup(folder, '/kubepods/pod1/c1', 100), /did not answer in 0.1 s/);
    rmSync(folder, { recursive: true });
  });

  for (const mode of ['Delegate', 'Runtime'] as const) {
    it(`${mode}: an agent that cannot have them does not start`, async () => {
      const demanded = AgentProcess.start({ isolation: { cgroups: mode }, sessions: { minIdle: 0 } });
      await assert.rejects(demanded, new RegExp(`spec.isolation.cgroups: ${mode} is not available to this agent: .+`));
    });
  }
});

describe('cgroups that nobody asked for', function () {
  this.timeout(120_000);

  it('are below a folder of the agent’s own, which goes with it', async function () {
    const reason = PodCgroup.unavailable;
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      this.skip();
    }
    const agent = await AgentProcess.start({ sessions: { minIdle: 0 } });
    const folders: string[] = [];
    {
      await using running = agent;
      const { id, isolation } = await running.session();
      assert.match(isolation.cgroups, /^v[12]$/);
      assert.ok(!isolation.missing.includes('memory'));
      const { result } = await running.run(id, "open('/proc/self/cgroup').read()");
      const lines = String(result?.data['text/plain']).slice(1, -1).split('\\n');
      for (const line of lines) {
        const [, controllers, path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
        if (!path.includes(`/replpool-${running.pid}-`)) continue;
        folders.push(dirname(join('/sys/fs/cgroup', controllers ?? '', path)));
      }
      assert.ok(folders.length > 0 && folders.every((folder) => existsSync(folder)), lines.join());
    }
    assert.deepEqual(
      folders.filter((folder) => existsSync(folder)),
      [],
    );
  });
});
