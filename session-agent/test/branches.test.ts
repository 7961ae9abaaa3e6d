import assert from 'node:assert/strict';
import type { ExecutionList, Problem, Session } from '@replpool/protocol';
import { ChannelClient } from './channel-client.ts';
import { eventually } from './eventually.ts';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';
import { eventsOf, ofType } from './session-events.ts';

const ON_FAILURE = { transaction: { policy: 'rollback_on_failure' } };
const EXPLICIT = { transaction: { policy: 'explicit' } };
const SLOTS = 10;

describe('branches of a live session', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  let parent: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 1, interruptGraceSeconds: 1, maxPerPod: SLOTS } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    parent = await SessionClient.create(agent);
  });
  afterEach(async () => {
    for (const { id } of await list()) await new SessionClient(agent, id).delete();
  });
  const list = async () => ((await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] }).items;
  const forked = async (of: SessionClient, body: object = {}): Promise<{ items: Session[]; made: SessionClient[] }> => {
    const { http, body: answer } = await of.fork(body);
    assert.equal(http, 201, JSON.stringify(answer));
    return { items: answer.items, made: answer.items.map(({ id }) => new SessionClient(agent, id)) };
  };
  const branch = async (of: SessionClient, body: object = {}): Promise<SessionClient> => {
    const [made] = (await forked(of, body)).made;
    assert.ok(made);
    return made;
  };

  it('have what the session has, and are sessions of their own', async () => {
    await parent.delete();
    const made = await agent.session({
      name: 'model',
      labels: { team: 'a' },
      env: { TOKEN: 'secret' },
      limits: { executionSeconds: 7 },
      idleTimeoutSeconds: 99,
      keepSnapshots: 3,
    });
    parent = new SessionClient(agent, made.id);
    await parent.run('import os; l = [1]; print("said before")');
    const before = await parent.state();
    const { items } = await forked(parent, { count: 2 });
    assert.equal(items.length, 2);
    const [first, second] = items;
    assert.ok(first && second);
    assert.equal(new Set([made.id, first.id, second.id]).size, 3);
    for (const session of items) {
      const { forkedFrom, state, epoch, stateEpoch, executionCount, undoable } = session;
      assert.deepEqual([forkedFrom, state, epoch, stateEpoch], [made.id, 'idle', 1, 1]);
      assert.deepEqual([executionCount, undoable], [before.executionCount, 0]);
      for (const same of ['pool', 'pod', 'template', 'labels', 'limits', 'isolation', 'idleTimeoutSeconds'] as const) {
        assert.deepEqual(session[same], before[same], same);
      }
      assert.equal(session.keepSnapshots, 3);
      const its = new SessionClient(agent, session.id);
      assert.deepEqual({ ...(await its.state()), usage: session.usage }, session);
      assert.equal(await its.value('l, os.environ["TOKEN"]'), "([1], 'secret')");
      assert.equal((await its.run('1')).executionCount, before.executionCount + 2);
    }
    assert.equal((await parent.state()).forkedFrom, undefined);
    assert.deepEqual(
      (await list()).map(({ id }) => id).toSorted(),
      [made.id, first.id, second.id].toSorted(),
      'the list has them',
    );
  });

  it('have a history and events of their own, and know no execution of the parent', async () => {
    const { id } = await parent.run('n = globals().get("n", 0) + 1; print("once"); n', { id: 'once' });
    const its = await branch(parent);
    const { items } = (await (await agent.fetch(`${its.path}/executions`)).json()) as ExecutionList;
    assert.deepEqual(items, []);
    assert.equal(await its.execution(id), undefined);
    const said = await its.settled();
    assert.deepEqual(
      said.map(({ seq, type }) => [seq, type]),
      [[1, 'session']],
    );
    const again = await its.run('n = globals().get("n", 0) + 1; print("once"); n', { id: 'once' });
    assert.equal(again.result?.data['text/plain'], '2');
    assert.equal(await parent.value('n'), '1');
  });

  it('take labels of their own, and need no body', async () => {
    const labelled = await forked(parent, { count: 2, labels: { candidate: 'x' } });
    for (const { labels } of labelled.items) assert.deepEqual(labels, { candidate: 'x' });
    const response = await agent.fetch(`${parent.path}/fork`, { method: 'POST' });
    assert.equal(response.status, 201);
    assert.equal(((await response.json()) as { items: Session[] }).items.length, 1);
    const found = await agent.fetch('/v1/sessions?label=candidate=x');
    assert.equal(((await found.json()) as { items: Session[] }).items.length, 2);
  });

  it('share nothing that either changes: variables, modules, the environment, the current folder', async () => {
    await parent.run('import os, sys\nclass A: n = 0\nl = [1]; d = {"l": l}; a = A()');
    const { made } = await forked(parent, { count: 3 });
    await Promise.all(
      [parent, ...made].map((each, i) =>
        each.run(`l.append(${i}); A.n = ${i}; sys.marked = ${i}; os.environ["MARKED"] = "${i}"; os.chdir("/")`),
      ),
    );
    for (const [i, each] of [parent, ...made].entries()) {
      const seen = await each.value('l, d["l"] is l, a.n, sys.marked, os.environ["MARKED"]');
      assert.equal(seen, `([1, ${i}], True, ${i}, ${i}, '${i}')`);
    }
    const pids = await Promise.all([parent, ...made].map((each) => each.pid()));
    assert.equal(new Set(pids).size, 4);
  });

  it('have other random numbers than each other and than the parent', async () => {
    await parent.run('import random; random.seed(1); random.random()');
    const { made } = await forked(parent, { count: 3 });
    const drawn = await Promise.all([parent, ...made].map((each) => each.value('random.random()')));
    assert.equal(new Set(drawn).size, 4, drawn.join());
    await parent.run('random.seed(1)');
    const expected = await parent.value('random.seed(1); x = random.random(); random.random()');
    await parent.run('random.seed(1); random.random()');
    assert.equal(await parent.value('random.random()'), expected, "the parent's own are as they were");
  });

  it('have a copy of the working folder, and stand where the parent stands in its own', async () => {
    await parent.run(
      'import os\nos.makedirs("sub/deep"); open("sub/kept", "w").write("kept"); os.symlink("sub/kept", "link"); os.symlink("/etc", "out")\nos.chmod("sub/kept", 0o750); open("top", "w").write("parent")\nf = open("top", "a")',
    );
    const first = await branch(parent);
    const home = await parent.value('os.getcwd()');
    const its = await first.value('os.getcwd()');
    assert.notEqual(its, home);
    const seen = 'open("link").read(), os.readlink("link"), os.readlink("out"), oct(os.stat("sub/kept").st_mode)[-3:]';
    assert.equal(await first.value(seen), "('kept', 'sub/kept', '/etc', '750')");
    await first.run('open("mine", "w").close(); os.remove("link"); open("top", "w").write("branch")');
    await parent.run('open("theirs", "w").close()');
    assert.equal(await parent.value('sorted(os.listdir())'), "['link', 'out', 'sub', 'theirs', 'top']");
    assert.equal(await first.value('sorted(os.listdir())'), "['mine', 'out', 'sub', 'top']");
    assert.equal(await parent.value('open("top").read(), open("link").read()'), "('parent', 'kept')");
    const file = await agent.fetch(`${first.path}/files/top`);
    assert.equal(await file.text(), 'branch');
    await parent.run('os.chdir("sub/deep")');
    const second = await branch(parent);
    const at = await second.value('os.getcwd()');
    assert.match(at, /\/sub\/deep'$/);
    assert.notEqual(at, await parent.value('os.getcwd()'));
    await second.run('open("here", "w").close()');
    assert.equal((await agent.fetch(`${second.path}/files/sub/deep/here`)).status, 200);
    assert.equal((await agent.fetch(`${parent.path}/files/sub/deep/here`)).status, 404);
    await parent.run('os.chdir("/usr")');
    assert.equal(await (await branch(parent)).value('os.getcwd()'), "'/usr'");
  });

  it('import what lies in their own folder', async () => {
    await parent.run('open("mine.py", "w").write("where = __file__")');
    const its = await branch(parent);
    const [at, home] = [await its.value('import mine, os; mine.where'), await its.value('os.getcwd()')];
    assert.ok(at.startsWith(home.slice(0, -1)), `${at} ${home}`);
  });

  it('have background tasks go on in each', async () => {
    const tick =
      'import asyncio\nlog = []\nasync def tick():\n  for i in range(100_000):\n    log.append(i); await asyncio.sleep(0.005)\nt = asyncio.create_task(tick())\nawait asyncio.sleep(0.05)';
    await parent.run(tick);
    const { made } = await forked(parent, { count: 2 });
    await parent.run('t.cancel()');
    for (const each of made) {
      const grown = await each.value(
        'n = len(log); await asyncio.sleep(0.1); log == list(range(len(log))), len(log) > n',
      );
      assert.equal(grown, '(True, True)');
    }
    assert.equal(await parent.value('await asyncio.sleep(0.02); t.cancelled()'), 'True');
  });

  it('write each to its own clients, at every level, and ask them for input', async () => {
    await parent.run('import os, sys, subprocess; print("before")');
    const { made } = await forked(parent, { count: 2 });
    const all = [parent, ...made];
    const outcomes = await Promise.all(
      all.map((each, i) =>
        each.run(
          `print("out ${i}"); print("err ${i}", file=sys.stderr, flush=True); os.write(1, b"raw ${i}\\n"); _ = subprocess.run(["echo", "child ${i}"])`,
        ),
      ),
    );
    for (const [i, { stdout, stderr }] of outcomes.entries()) {
      assert.deepEqual(stdout.split('\n').toSorted(), ['', `child ${i}`, `out ${i}`, `raw ${i}`]);
      assert.equal(stderr, `err ${i}\n`);
    }
    for (const [i, each] of all.entries()) {
      const text = ofType(await eventsOf(agent, each.id), 'stdout').map(({ data }) => data);
      for (const [j] of all.entries()) assert.equal(text.join('').includes(`out ${j}`), i === j, `${j} in ${i}`);
    }
    const asked = all.map((each, i) => each.run('input("? ")', { id: `asks-${i}` }));
    for (const [i, each] of all.entries()) await each.answer(`asks-${i}`, `answer ${i}`);
    const answers = (await Promise.all(asked)).map(({ result }) => result?.data['text/plain']);
    assert.deepEqual(answers, ["'answer 0'", "'answer 1'", "'answer 2'"]);
    assert.equal((await all[1]?.run('input()', { stdin: 'given\n' }))?.result?.data['text/plain'], "'given'");
  });

  it('write a flood without loss, of another than the parent at the same time', async () => {
    await parent.run('import sys');
    const its = await branch(parent);
    const flood = (mark: string) => `for i in range(20_000): print("${mark}", i)`;
    const [own, other] = await Promise.all([its.run(flood('b')), parent.run(flood('p'))]);
    const expected = (mark: string) => Array.from({ length: 20_000 }, (_, i) => `${mark} ${i}\n`).join('');
    assert.ok(own.stdout === expected('b'));
    assert.ok(other.stdout === expected('p'));
  });

  it('are interrupted and timed out on their own, and tell where stuck code stands', async () => {
    await parent.run('import time');
    const { made } = await forked(parent, { count: 2 });
    const [one, two] = made;
    assert.ok(one && two);
    const stays = parent.run('print("go", flush=True); time.sleep(0.7); "kept"', { id: 'stays' });
    const stuck = one.run('print("go", flush=True)\nwhile True: pass', { id: 'stuck' });
    await one.prints('stuck', 'go');
    assert.equal((await agent.post(`${one.path}/interrupt`, {})).status, 204);
    assert.equal((await stuck).status, 'interrupted');
    assert.equal((await two.run('time.sleep(60)', { timeoutSeconds: 1 })).status, 'timeout');
    const deaf =
      'import signal\ndef stands_here():\n  while True: pass\nsignal.signal(signal.SIGINT, signal.SIG_IGN); stands_here()';
    const killed = await two.run(deaf, { timeoutSeconds: 1 });
    assert.equal(killed.status, 'timeout');
    assert.match(JSON.stringify(killed.warnings), /stands_here/);
    assert.equal((await stays).result?.data['text/plain'], "'kept'");
    assert.equal(await one.value('time.__name__'), "'time'");
    assert.equal(await two.value('"time" in globals()'), 'False');
  });

  it('are branched themselves', async () => {
    await parent.run('l = ["parent"]');
    const child = await branch(parent);
    await child.run('l.append("child")');
    const { items, made } = await forked(child, { count: 2 });
    for (const { forkedFrom } of items) assert.equal(forkedFrom, child.id);
    await Promise.all(made.map((each, i) => each.run(`l.append(${i})`)));
    await child.delete();
    await parent.delete();
    for (const [i, each] of made.entries()) assert.equal(await each.value('l'), `['parent', 'child', ${i}]`);
  });

  it('are made eight at once', async () => {
    await parent.run('import math; data = list(range(100_000)); best = None');
    const { made } = await forked(parent, { count: 8 });
    const sums = await Promise.all(made.map((each, i) => each.value(`data.append(${i}); sum(data) - 4999950000`)));
    assert.deepEqual(sums, ['0', '1', '2', '3', '4', '5', '6', '7']);
    assert.equal(await parent.value('len(data)'), '100000');
  });

  it('are made by two that ask at once', async () => {
    await parent.run('l = [1]');
    const [a, b] = await Promise.all([forked(parent, { count: 2 }), forked(parent, { count: 3 })]);
    const made = [...a.made, ...b.made];
    assert.equal(new Set(made.map(({ id }) => id)).size, 5);
    for (const each of made) assert.equal(await each.value('l.append(2); l'), '[1, 2]');
    assert.equal((await list()).length, 6);
  });

  it('are made when it is their turn: of what was queued before, and not of what comes behind', async () => {
    await parent.run('l = [1]');
    const client = await new ChannelClient(agent, parent.id).opened();
    const running = client.execute('running', 'input(); l.append(2)').finished;
    const waiting = client.execute('waiting', 'l.append(3)').finished;
    await eventually('both are queued', async () => (await parent.execution('waiting')) !== undefined);
    let isMade = false;
    const making = forked(parent).finally(() => {
      isMade = true;
    });
    for (let n = 0; n < 5; n += 1) await parent.state();
    assert.equal(isMade, false);
    const behind = client.execute('behind', 'l.append(4)').finished;
    await parent.answer('running');
    const [its] = (await making).made;
    await Promise.all([running, waiting, behind]);
    assert.match((await its?.value('l')) ?? '', /^\[1, 2, 3/);
    assert.equal(await parent.value('l'), '[1, 2, 3, 4]');
    client.close();
  });

  it('have transactions and undo of their own', async () => {
    const kept = await SessionClient.create(agent, { keepSnapshots: 4 });
    for (const code of ['l = [1]', 'l.append(2)']) await kept.run(code);
    const its = await branch(kept);
    assert.deepEqual([(await its.state()).undoable, (await kept.state()).undoable], [0, 2]);
    assert.equal((await its.undo()).code, 'NO_SNAPSHOT');
    await its.run('l.append(3)');
    const failed = await its.run('l.append(4); 1/0', ON_FAILURE);
    assert.deepEqual([failed.transaction?.outcome, failed.transaction?.snapshot], ['rolled_back', 'fork']);
    assert.equal(await its.value('l'), '[1, 2, 3]');
    assert.equal((await its.undo(2)).http, 200);
    assert.equal(await its.value('l'), '[1, 2]');
    const died = await its.run('l.append(5); __import__("os")._exit(1)', ON_FAILURE);
    assert.deepEqual([died.status, died.transaction?.outcome], ['killed', 'rolled_back']);
    await its.run('l.append(6)', EXPLICIT);
    assert.equal((await its.end('rollback')).body.outcome, 'rolled_back');
    assert.equal(await its.value('l'), '[1, 2]');
    assert.equal((await kept.undo(1)).http, 200);
    assert.deepEqual([await kept.value('l'), await its.value('l')], ['[1]', '[1, 2]']);
  });

  it('keep what the parent has for undo and rollback', async () => {
    const kept = await SessionClient.create(agent, { keepSnapshots: 4 });
    await kept.run('l = [1]');
    await kept.run('l.append(2)');
    await forked(kept, { count: 2 });
    assert.equal((await kept.undo(1)).http, 200);
    assert.equal(await kept.value('l'), '[1]');
    assert.equal((await forked(kept)).items[0]?.stateEpoch, 1);
    assert.equal(await kept.value('l'), '[1]');
  });

  it('are completed, inspected and asked for variables', async () => {
    await parent.run('number = 41');
    const its = await branch(parent);
    await its.run('number += 1');
    const summary = async (of: SessionClient) =>
      ((await (await agent.fetch(`${of.path}/variables/number`)).json()) as { summary: string }).summary;
    assert.deepEqual([await summary(its), await summary(parent)], ['42', '41']);
    const { body } = await its.post<{ matches: string[] }>('/complete', { code: 'numb', cursor: 4 });
    assert.ok(JSON.stringify(body.matches).includes('number'));
  });

  it('have a file that the parent had open, and a copy of the objects that hold it', async () => {
    await parent.run('f = open("log", "w"); f.write("both "); import os');
    const its = await branch(parent);
    assert.equal((await its.run('f.closed')).result?.data['text/plain'], 'False');
    await its.run('f.close()');
    assert.equal((await parent.run('f.write("parent"); f.close()')).status, 'ok');
  });

  it('restart and die as any session', async () => {
    await parent.run('l = [1]');
    const its = await branch(parent);
    await its.restart();
    assert.equal(await its.value('"l" in globals()'), 'False');
    assert.equal((await its.run('__import__("os")._exit(1)')).status, 'killed');
    assert.equal(await its.value('1 + 1'), '2');
    assert.equal((await its.state()).stateEpoch, 3);
    assert.equal(await parent.value('l'), '[1]');
  });

  describe('are refused', () => {
    const refused = async (of: SessionClient, body: object, expected: readonly [number, string]) => {
      const before = (await list()).length;
      const { http, code, body: problem } = await of.fork(body);
      assert.deepEqual([http, code], expected);
      assert.equal((await list()).length, before, 'none is made');
      assert.equal((await of.state()).state, 'idle');
      return problem as unknown as Problem;
    };

    it('in an open transaction', async () => {
      await parent.run('x = 1', EXPLICIT);
      await refused(parent, {}, [409, 'TRANSACTION_OPEN']);
      assert.equal((await parent.end('commit')).http, 200);
      await forked(parent);
    });

    it('beside threads', async () => {
      await parent.run(
        'import threading\nend = threading.Event()\nt = threading.Thread(target=end.wait, daemon=True, name="mine"); t.start()',
      );
      const { what } = await refused(parent, { count: 2 }, [409, 'FORK_UNSAFE']);
      assert.match(what, /mine/);
      await parent.run('end.set(); t.join()');
      await forked(parent);
    });

    it('where there are not so many free slots', async () => {
      await parent.run('x = 1');
      await refused(parent, { count: SLOTS }, [429, 'POOL_EXHAUSTED']);
      const { made } = await forked(parent, { count: SLOTS - 1 });
      await refused(parent, {}, [429, 'POOL_EXHAUSTED']);
      assert.equal((await agent.post('/v1/sessions', {})).status, 429);
      await made[0]?.delete();
      const [a, b] = await Promise.all([parent.fork(), parent.fork()]);
      assert.deepEqual([a.http, b.http].toSorted(), [201, 429]);
    });

    it('by a body that says something else', async () => {
      for (const [body, field] of [
        [{ count: 0 }, 'count'],
        [{ count: 65 }, 'count'],
        [{ count: 1.5 }, 'count'],
        [{ count: '2' }, 'count'],
        [{ labels: ['a'] }, 'labels'],
        [{ labels: { a: 1 } }, 'labels.a'],
      ] as const) {
        const { details } = await refused(parent, body, [400, 'INVALID_REQUEST']);
        assert.equal((details as { field?: string } | undefined)?.field, field);
      }
      await refused(parent, { name: 'x' }, [400, 'INVALID_REQUEST']);
      await refused(parent, [], [400, 'INVALID_REQUEST']);
    });

    it('of a session that is not there', async () => {
      const nobody = new SessionClient(agent, '00000000-0000-4000-8000-000000000000');
      const { http, code } = await nobody.fork();
      assert.deepEqual([http, code], [404, 'SESSION_NOT_FOUND']);
    });
  });
});
