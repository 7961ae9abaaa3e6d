import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseQuantity, type Session } from '@replpool/protocol';
import { AgentProcess } from './agent-process.ts';
import { eventually } from './eventually.ts';
import { PodCgroup } from './pod-cgroup.ts';
import { isAlive, kill, processOf, workersLeft, workersOf } from './processes.ts';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';
import { returns } from './session-events.ts';

const MANY_FILES = 'import os\nfor i in range(1500): open(f"f{i}", "w").close()\nl = [1]';
const BOUND_MS = 30_000;

describe('branches in hostile hands', function () {
  this.timeout(120_000);
  let agent: RealAgent;
  let parent: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0, interruptGraceSeconds: 1, maxPerPod: 12 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    parent = await SessionClient.create(agent);
  });
  afterEach(async () => {
    for (const { id } of await list()) await new SessionClient(agent, id).delete();
    await workersLeft(process.pid, 0);
    await eventually('no folder is left', () => folders().length === 0);
  });
  const list = async () => ((await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] }).items;
  const folders = () => readdirSync(join(agent.runDirectory, 'sessions'));
  const branches = async (count: number, of = parent): Promise<SessionClient[]> => {
    const { http, body } = await of.fork({ count });
    assert.equal(http, 201, JSON.stringify(body));
    return body.items.map(({ id }) => new SessionClient(agent, id));
  };

  it('that are killed hurt nobody else', async () => {
    await parent.run('l = [1]');
    const [one, two] = await branches(2);
    assert.ok(one && two);
    const running = await one.begin('print("go", flush=True); input()', { id: 'running' });
    await one.prints('running', 'go');
    kill(await two.pid());
    await eventually('it is seen', async () => (await two.state()).stateEpoch === 2);
    assert.deepEqual(returns(await two.settled()), [{ reason: 'signal', restored: 'nothing' }]);
    assert.equal(await two.value('"l" in globals()'), 'False');
    assert.equal(await parent.value('l'), '[1]');
    await one.answer('running');
    assert.equal((await running.ended).body.status, 'ok');
    assert.equal(await one.value('l'), '[1]');
  });

  it('outlive a parent that is killed, is deleted or kills itself and all its group', async () => {
    await parent.run('import os, signal\nl = [1]');
    const first = await branches(2);
    const running = await Promise.all(first.map((each) => each.begin('input(); l', { id: 'running' })));
    kill(await parent.pid());
    await eventually('it is seen', async () => (await parent.state()).stateEpoch === 2);
    await parent.run('import os, signal\nl = [2]');
    const second = await branches(2);
    await parent.run('os.killpg(0, signal.SIGKILL)');
    await parent.run('import os, signal, subprocess\nl = [3]\np = subprocess.Popen(["sleep", "60"])');
    const third = await branches(1);
    await parent.delete();
    for (const [each, value] of [
      ...second.map((each) => [each, '[2]'] as const),
      ...third.map((each) => [each, '[3]'] as const),
    ]) {
      assert.equal(await each.value('l'), value);
      assert.equal((await each.state()).stateEpoch, 1);
    }
    for (const each of first) await each.answer('running');
    for (const { ended } of running) assert.equal((await ended).body.result?.data['text/plain'], '[1]');
  });

  it('end without the parent: what they started goes with them, and what the parent started stays', async () => {
    await parent.run('import subprocess, os\nmine = subprocess.Popen(["sleep", "61"])');
    const [its] = await branches(1);
    assert.ok(its);
    await its.run(
      'own = subprocess.Popen(["sleep", "62"], start_new_session=True)\nif os.fork() == 0:\n  os.setsid()\n  __import__("time").sleep(3600)',
    );
    const before = workersOf(process.pid);
    assert.equal(before.filter(({ name }) => name === 'sleep').length, 2);
    await its.delete();
    await workersLeft(process.pid, 2);
    assert.equal(await parent.value('mine.poll() is None'), 'True');
  });

  it('cannot be reached by their relatives: their pid says nothing, and signals are for the own alone', async () => {
    await parent.run('import os\nopened = os.getpid()');
    const [its] = await branches(1);
    assert.ok(its);
    assert.equal(await its.value('os.getpid() == opened, os.getppid() == opened'), '(False, False)');
    const worker = await its.pid();
    assert.equal(
      processOf(worker)?.parent,
      processOf(await parent.pid())?.parent,
      'both are the children of the launcher',
    );
    assert.equal(await parent.value('open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read()'), "''");
    const waited = 'try:\n  os.wait(); r = "had a child"\nexcept ChildProcessError: r = "none"\nr';
    assert.equal(await parent.value(waited), "'none'");
  });

  it('are not made by a session that is deleted meanwhile, or are, and are whole', async () => {
    for (const waitMs of [0, 5, 20, 40, 80]) {
      const session = await SessionClient.create(agent);
      await session.run(MANY_FILES);
      const making = session.fork({ count: 2 });
      await sleep(waitMs);
      await session.delete();
      const { http, body, code } = await making;
      const there = (await list()).filter(({ forkedFrom }) => forkedFrom === session.id).map(({ id }) => id);
      if (http === 201) {
        assert.deepEqual(there.toSorted(), body.items.map(({ id }) => id).toSorted());
        for (const id of there) {
          const its = new SessionClient(agent, id);
          assert.equal(await its.value('l, len(os.listdir())'), '([1], 1500)');
          await its.delete();
        }
      } else {
        assert.ok([404, 409, 410, 500].includes(http), `${http} ${code}`);
        assert.deepEqual(there, [], `none is made after ${waitMs} ms`);
      }
      await workersLeft(process.pid, 1);
      await eventually('no folder is left but the first', () => folders().length === 1);
    }
  });

  for (const how of ['restarted', 'killed'] as const) {
    it(`are not made by a session that is ${how} meanwhile, or are, and are whole`, async () => {
      for (const waitMs of [0, 5, 20, 40, 80]) {
        const session = await SessionClient.create(agent);
        await session.run(MANY_FILES);
        const pid = await session.pid();
        const making = session.fork({ count: 2 });
        await sleep(waitMs);
        if (how === 'restarted') await session.restart();
        else kill(pid);
        const { http, body, code } = await making;
        const there = (await list()).filter(({ forkedFrom }) => forkedFrom === session.id).map(({ id }) => id);
        if (http === 201) {
          assert.deepEqual(there.toSorted(), body.items.map(({ id }) => id).toSorted());
          for (const id of there) assert.equal(await new SessionClient(agent, id).value('l'), '[1]');
        } else {
          assert.ok([404, 409, 410, 500, 503].includes(http), `${http} ${code}`);
          assert.deepEqual(there, []);
        }
        await session.settled();
        assert.equal(await session.value('1 + 1'), '2');
        for (const id of there) await new SessionClient(agent, id).delete();
        await session.delete();
        await workersLeft(process.pid, 1);
      }
    });
  }

  it('are refused in bounded time where a hook of the code hangs, and nothing of them is left', async () => {
    await parent.run(
      'import os\nl = [1]\nhang = False\ndef hook():\n  while hang: __import__("time").sleep(1)\nos.register_at_fork(after_in_child=hook)',
    );
    await branches(1);
    await parent.run('hang = True');
    const began = performance.now();
    const { http, code } = await parent.fork({ count: 3 });
    assert.ok(performance.now() - began < BOUND_MS);
    assert.ok(http >= 400, `${http} ${code}`);
    assert.equal((await list()).length, 2);
    await workersLeft(process.pid, 2);
    assert.equal(await parent.value('hang = False; l'), '[1]');
    await branches(1);
  });

  it('are made of code that meddles with fork: hooks that raise, print or ignore SIGCHLD', async () => {
    const hooks = [
      'before=lambda: print("before")',
      'after_in_parent=lambda: print("parent")',
      'after_in_child=lambda: 1/0',
      'after_in_child=lambda: print("child", flush=True)',
    ];
    await parent.run(`import os, signal\nl = [1]\n${hooks.map((hook) => `os.register_at_fork(${hook})`).join('\n')}`);
    await parent.run('signal.signal(signal.SIGCHLD, signal.SIG_IGN)');
    for (const each of await branches(2)) assert.equal(await each.value('l.append(2); l'), '[1, 2]');
    assert.equal(await parent.value('l'), '[1]');
    await parent.settled();
  });

  it('are made of a folder that cannot be copied whole, or are refused, and the parent lives', async () => {
    await parent.run(
      'import os\nl = [1]\nos.mkfifo("fifo"); os.symlink("gone", "dangling"); os.mkdir("closed"); open("closed/f", "w").close(); os.chmod("closed", 0)\nimport socket; s = socket.socket(socket.AF_UNIX); s.bind("sock")',
    );
    const began = performance.now();
    const { http, body } = await parent.fork();
    assert.ok(performance.now() - began < BOUND_MS);
    if (http === 201) {
      const [its] = body.items.map(({ id }) => new SessionClient(agent, id));
      assert.equal(await its?.value('os.readlink("dangling"), l'), "('gone', [1])");
    } else assert.deepEqual((await list()).length, 1);
    assert.equal(await parent.value('l'), '[1]');
    await parent.run('os.chmod("closed", 0o700)');
  });

  it('go through many generations, and leave nothing', async () => {
    let youngest = parent;
    await parent.run('generation = 0');
    for (let n = 1; n <= 12; n += 1) {
      const [next] = await branches(1, youngest);
      assert.ok(next);
      await next.run('generation += 1');
      if (n % 3 === 0) await next.run('generation += 100; 1/0', { transaction: { policy: 'rollback_on_failure' } });
      await youngest.delete();
      youngest = next;
    }
    assert.equal(await youngest.value('generation'), '12');
    await workersLeft(process.pid, 1);
    await eventually('one folder is left', () => folders().length === 1);
  });

  it('and undo, transactions and forks of one session at once keep each its word', async () => {
    const session = await SessionClient.create(agent, { keepSnapshots: 3 });
    await session.run('n = 0');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => {
        if (i % 4 === 0) return session.fork().then(({ http }) => http === 201);
        if (i % 4 === 1) return session.execute('n += 1').then(({ body }) => body.status === 'ok');
        if (i % 4 === 2) {
          const body = { transaction: { policy: 'rollback_on_failure' } };
          return session.execute('n += 100; 1/0', body).then(({ body }) => body.transaction?.outcome === 'rolled_back');
        }
        return session.undo().then(({ http, code }) => http === 200 || code === 'NO_SNAPSHOT');
      }),
    );
    assert.ok(answers.every(Boolean), JSON.stringify(answers));
    await session.settled();
    for (const { id } of await list()) {
      if (id === parent.id) continue;
      const value = await new SessionClient(agent, id).value('globals().get("n", 0)');
      assert.ok(Number(value) < 100, value);
    }
  });
});

describe('branches of an agent', function () {
  this.timeout(60_000);

  for (const how of ['ends', 'is killed'] as const) {
    it(`are gone when it ${how}`, async () => {
      const agent = await AgentProcess.start({ sessions: { minIdle: 0 } });
      const parent = await SessionClient.create(agent, { keepSnapshots: 2 });
      await parent.run('import subprocess\nx = 1');
      const { body } = await parent.fork({ count: 3 });
      for (const { id } of body.items) {
        await new SessionClient(agent, id).run('p = subprocess.Popen(["sleep", "60"], start_new_session=True)');
      }
      await parent.delete();
      const left = workersOf(agent.pid);
      // Each with its child and the snapshot before it.
      assert.equal(left.length, 3 * 3);
      if (how === 'ends') await agent[Symbol.asyncDispose]();
      else await agent.kill();
      await eventually('no process is left', () => !left.some(isAlive));
    });
  }
});

describe('branches in cgroups of a container that was delegated', function () {
  this.timeout(180_000);
  let pod: PodCgroup;
  let agent: AgentProcess;

  before(async function () {
    const reason = PodCgroup.unavailable;
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      this.skip();
    }
    pod = new PodCgroup(`replpool-branches-${process.pid}`);
    console.log(`      cgroup ${pod.version}`);
    await pod.startDelegate(0);
    agent = await AgentProcess.start(
      { isolation: { cgroups: 'Delegate' }, sessions: { minIdle: 0, maxPerPod: 20 } },
      pod.startContainer(),
    );
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await pod?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    const { items } = (await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] };
    for (const { id } of items) await new SessionClient(agent, id).delete();
    await eventually('no cgroup is left', () => pod.names.length === 0);
  });

  const begun = async (body: Record<string, unknown>) => {
    const parent = await SessionClient.create(agent, body);
    await parent.run('l = [1]');
    const { http, body: answer } = await parent.fork({ count: 2 });
    assert.equal(http, 201, JSON.stringify(answer));
    return { parent, branches: answer.items.map(({ id }) => new SessionClient(agent, id)) };
  };
  const cgroupOf = async (session: SessionClient) => readFileSync(`/proc/${await session.pid()}/cgroup`, 'utf8');

  it('have each its own, with the limits of the parent', async () => {
    const { parent, branches } = await begun({ limits: { memory: '96Mi', processes: 30 } });
    const all = [parent, ...branches];
    const cgroups = await Promise.all(all.map(cgroupOf));
    assert.equal(new Set(cgroups).size, 3, cgroups.join('\n'));
    assert.equal(pod.names.length, 3);
    for (const each of all) {
      const { limits, usage, isolation } = await each.state();
      assert.deepEqual(
        [parseQuantity(limits.memory), limits.processes, isolation.cgroups],
        [96 << 20, 30, pod.version],
      );
      assert.ok((usage.memoryBytes ?? 0) > 0);
    }
  });

  it('run out of memory alone, by what they allocate themselves', async () => {
    const { parent, branches } = await begun({ limits: { memory: '128Mi' } });
    const [one, two] = branches;
    assert.ok(one && two);
    const { status, error } = await one.run("data = b'x' * (512 << 20)");
    assert.equal(status, 'killed');
    assert.ok(error && 'reason' in error && error.reason === 'oom', JSON.stringify(error));
    assert.deepEqual([await parent.value('l'), await two.value('l')], ['[1]', '[1]']);
    assert.equal(await one.value('1 + 1'), '2');
    const within = "data = b'x' * (64 << 20); len(data)";
    assert.deepEqual(await Promise.all([parent, two].map((each) => each.value(within))), ['67108864', '67108864']);
  });

  it('leave theirs when they are deleted, with all that they started', async () => {
    const { parent, branches } = await begun({ limits: { processes: 30 } });
    const daemon = 'import os, time\nfor _ in range(5):\n  if os.fork() == 0:\n    os.setsid(); time.sleep(3600)';
    await branches[0]?.run(daemon);
    await branches[0]?.delete();
    await eventually('its cgroup is gone', () => pod.names.length === 2);
    await parent.delete();
    assert.equal(await branches[1]?.value('l'), '[1]');
    assert.equal(pod.names.length, 1);
  });

  it('go back to a snapshot in their own', async () => {
    const { branches } = await begun({ limits: { memory: '128Mi' }, keepSnapshots: 2 });
    const [one] = branches;
    assert.ok(one);
    const cgroup = await cgroupOf(one);
    const { status } = await one.run("l.append(2); data = b'x' * (512 << 20)");
    assert.equal(status, 'killed');
    assert.equal(await one.value('l'), '[1]');
    assert.equal(await cgroupOf(one), cgroup);
    assert.equal((await one.state()).stateEpoch, 1);
  });
});
