import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Session } from '@replpool/protocol';
import { keyedNumber } from '../src/cgroup/cgroup-file.ts';
import { AgentProcess } from './agent-process.ts';
import { CgroupSubtree } from './cgroup-subtree.ts';
import { userPython } from './user-python.ts';

/** A user without rights. */
const NOBODY = 65_534;

const FORK_BOMB = `
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)
`;

/** A child that nothing leads back to its session: a session, a parent and an environment of its own. Its result is the child's pid. */
const DAEMON = `
import os
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(writer, str(os.getpid()).encode())
    os.execve('/bin/sleep', ['sleep', '3600'], {})
int(os.read(reader, 32))
`;

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

describe('sessions in cgroups of a delegated subtree', function () {
  this.timeout(600_000);
  let subtree: CgroupSubtree;
  let agent: AgentProcess;

  const start = (isolation: 'Delegate' | 'Privileged' = 'Delegate', minIdle = 0) =>
    AgentProcess.start(
      { isolation: { cgroups: isolation }, sessions: { minIdle, maxPerPod: 200 } },
      { joins: subtree.joins },
    );

  before(async function () {
    const reason = CgroupSubtree.unavailable;
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      this.skip();
    }
    subtree = new CgroupSubtree(`replpool-test-${process.pid}`);
    console.log(`      cgroup ${subtree.version}`);
    agent = await start();
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    subtree?.[Symbol.dispose]();
  });
  afterEach(async () => {
    const { items } = (await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] };
    for (const { id } of items) await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' });
    // A worker that a recovering session was about to get ends by itself.
    while (subtree.names.length > 0) await nextTurn();
  });

  it('says which cgroups hold its limits, and does not name them as missing', async () => {
    const { isolation } = await agent.session();
    assert.equal(isolation.cgroups, subtree.version);
    for (const wall of ['memory', 'cpu', 'processes', 'leftover_processes'] as const) {
      assert.ok(!isolation.missing.includes(wall), wall);
    }
  });

  it('have the limits that the session was made with, before its first code runs', async () => {
    const { id } = await agent.session({ limits: { memory: '64Mi', cpu: '500m', processes: 20 } });
    const of = (controller: string, ...files: string[]) => files.map((file) => subtree.read(controller, file).trim());
    const v2 = subtree.version === 'v2';
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
    assert.equal(subtree.read('pids', 'pids.current').trim(), '32');
    assert.equal((await agent.run(id, '1 + 1')).result?.data['text/plain'], '2');
  });

  it('with half a core get half of every period, by the count of the kernel', async () => {
    const { id } = await agent.session({ limits: { cpu: '500m' } });
    const count = () => {
      const stat = subtree.read('cpu', 'cpu.stat');
      const number = (key: string) => keyedNumber(stat, key) ?? 0;
      const usedUs =
        subtree.version === 'v2' ? number('usage_usec') : Number(subtree.read('cpuacct', 'cpuacct.usage')) / 1000;
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
    assert.deepEqual(subtree.names, []);
  });

  it('of an agent that was killed are removed by the next one in its pod', async () => {
    const { id } = await agent.session();
    const pid = Number((await agent.run(id, DAEMON)).result?.data['text/plain']);
    await agent.kill();
    assert.equal(subtree.names.length, 1);
    agent = await start('Privileged');
    assert.deepEqual(subtree.names, []);
    assert.ok(!isAlive(pid));
  });

  it('are found from within a cgroup namespace, which hides their names', async () => {
    await using other = await AgentProcess.start(
      { isolation: { cgroups: 'Delegate' }, sessions: { minIdle: 0 } },
      { joins: subtree.joins, hidesCgroups: true },
    );
    assert.equal((await other.session()).isolation.cgroups, subtree.version);
    assert.equal(subtree.names.length, 1);
  });

  it('hold for an agent without rights, to whom the folder was given', async function () {
    const found = userPython(NOBODY);
    if (found === undefined) {
      console.log('      skipped: only root may read this checkout, or run its Python');
      return this.skip();
    }
    subtree.delegateTo(NOBODY);
    await using other = await AgentProcess.start(
      { isolation: { cgroups: 'Delegate' }, sessions: { minIdle: 0 } },
      { joins: subtree.joins, user: { uid: NOBODY, ...found } },
    );
    const { id } = await other.session({ limits: { memory: '128Mi' } });
    const { error } = await other.run(id, "data = b'x' * (512 << 20)");
    assert.ok(error && 'reason' in error, JSON.stringify(error));
    assert.equal(error.reason, 'oom');
    const pid = Number((await other.run(id, DAEMON)).result?.data['text/plain']);
    assert.ok(isAlive(pid));
    assert.equal((await other.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
    assert.ok(!isAlive(pid));
  });

  it('hold a warm fork before it is anybody’s', async () => {
    await using other = await start('Delegate', 1);
    for (;;) {
      if (subtree.names.length === 1 && subtree.read('pids', 'cgroup.procs').trim() !== '') break;
      await nextTurn();
    }
    assert.ok(other.pid > 0);
  });
});

describe('cgroups that are demanded', function () {
  this.timeout(120_000);
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
    const reason = CgroupSubtree.unavailable;
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
