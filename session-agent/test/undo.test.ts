import assert from 'node:assert/strict';
import type { Execution, ExecutionList, Problem, Session, Undone } from '@replpool/protocol';
import { ChannelClient } from './channel-client.ts';
import { eventually } from './eventually.ts';
import { kill, workersLeft, workersOf } from './processes.ts';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';
import { ofType, returns } from './session-events.ts';

const ON_FAILURE = { transaction: { policy: 'rollback_on_failure' } };
const EXPLICIT = { transaction: { policy: 'explicit' } };
const DIE = '__import__("os")._exit(1)';
const THREAD =
  'import threading, time\nt = threading.Thread(target=time.sleep, args=(60,), daemon=True, name="mine"); t.start()';
const KEPT = 5;

describe('undo', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  let session: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 1, interruptGraceSeconds: 1, maxPerPod: 4 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await SessionClient.create(agent, { keepSnapshots: KEPT });
  });
  afterEach(() => session.delete());

  /** Runs each, and tells their ids. */
  const ran = async (...codes: string[]) => {
    const ids: string[] = [];
    for (const code of codes) {
      const { id, status } = await session.run(code);
      assert.equal(status, 'ok');
      ids.push(id);
    }
    return ids;
  };
  const undone = async (executions?: number): Promise<Undone> => {
    const { http, body } = await session.undo(executions);
    assert.equal(http, 200, JSON.stringify(body));
    return body;
  };
  const refused = async (executions: number | undefined, expected: string, undoable?: number) => {
    const before = await session.state();
    const { http, code, body } = await session.undo(executions);
    assert.deepEqual([http, code], [409, expected]);
    const details = (body as unknown as Problem).details as { undoable?: number } | undefined;
    if (undoable !== undefined) assert.equal(details?.undoable, undoable);
    const { state, stateEpoch, executionCount, undoable: still } = await session.state();
    assert.deepEqual(
      { state, stateEpoch, executionCount, still },
      { ...pick(before), still: before.undoable },
      'nothing changes',
    );
  };
  const pick = ({ state, stateEpoch, executionCount }: Session) => ({ state, stateEpoch, executionCount });

  it('goes back to before the last execution, and says what it undid', async () => {
    const [, last] = await ran('l = [1]; d = {}', 'l.append(2); d["x"] = l; new = 1');
    const { executions, stateEpoch, costMs, notRolledBack } = await undone();
    assert.deepEqual([executions, stateEpoch], [[last], 2]);
    assert.ok(costMs > 0);
    assert.deepEqual(notRolledBack, []);
    assert.equal((await session.state()).stateEpoch, 2);
    assert.equal(await session.value('l, d, "new" in globals()'), '([1], {}, False)');
  });

  it('goes back over several at once, the latest first, and then further', async () => {
    const ids = await ran('l = [1]', 'l.append(2)', 'l.append(3)', 'l.append(4)');
    assert.equal((await session.state()).undoable, 4);
    assert.deepEqual((await undone(2)).executions, [ids[3], ids[2]]);
    assert.equal((await session.state()).undoable, 2);
    const { executions, stateEpoch } = await undone();
    assert.deepEqual([executions, stateEpoch], [[ids[1]], 3]);
    assert.equal((await session.state()).undoable, 1);
    assert.equal(await session.value('l'), '[1]');
    const [more] = await ran('l.append(5)');
    assert.deepEqual((await undone(1)).executions, [more]);
    assert.equal(await session.value('l'), '[1]');
  });

  it('goes back to the very beginning', async () => {
    const ids = await ran('l = [1]', 'l.append(2)');
    assert.deepEqual((await undone(2)).executions, ids.toReversed());
    assert.equal(await session.value('"l" in globals()'), 'False');
    await refused(5, 'NO_SNAPSHOT', 1);
  });

  it('tells it in an event, and keeps the history and the numbers', async () => {
    const [first] = await ran('x = 1');
    const second = { id: 'second' };
    await session.run('y = 2; x = 3', second);
    await undone();
    const [said] = ofType(await session.settled(), 'session').slice(-1);
    assert.ok(said);
    const { state, stateEpoch, reason, restored, lost } = said;
    assert.deepEqual([state, stateEpoch, reason, restored], ['idle', 2, 'undo', 'twin']);
    assert.deepEqual(
      lost?.map(({ name }) => name),
      ['y'],
    );
    const { executionCount } = await session.run('x');
    assert.equal(executionCount, 3);
    const { items } = (await (await agent.fetch(`${session.path}/executions`)).json()) as ExecutionList;
    assert.deepEqual(
      items.slice(0, 2).map(({ id, status, executionCount }) => [id, status, executionCount]),
      [
        [first, 'ok', 1],
        ['second', 'ok', 2],
      ],
    );
    const again = await session.run('y = 2; x = 3', second);
    assert.equal(again.executionCount, 2);
    assert.equal(await session.value('x'), '1');
    const stale = await session.execute('x', { stateEpoch: 1 });
    assert.equal(stale.code, 'EPOCH_CHANGED');
  });

  it('keeps as many snapshots as were asked for, the oldest goes', async () => {
    await ran('n = 0', ...Array.from({ length: KEPT + 3 }, () => 'n += 1'));
    const { keepSnapshots, undoable } = await session.state();
    assert.deepEqual([keepSnapshots, undoable], [KEPT, KEPT]);
    const worker = await session.pid();
    await eventually(
      'the snapshots of earlier executions are gone',
      () => workersOf(process.pid).filter(({ parent }) => parent === worker).length <= KEPT,
    );
    await refused(KEPT + 1, 'NO_SNAPSHOT', KEPT);
    await undone(KEPT);
    assert.equal(await session.value('n'), '4');
  });

  it('refuses what it does not understand', async () => {
    for (const body of [{ executions: 0 }, { executions: -1 }, { executions: 1.5 }, { executions: 'all' }, { n: 1 }]) {
      const { http, code } = await session.post('/undo', body);
      assert.deepEqual([http, code], [400, 'INVALID_REQUEST'], JSON.stringify(body));
    }
    const response = await agent.fetch('/v1/sessions/00000000-0000-4000-8000-000000000000/undo', { method: 'POST' });
    assert.equal(response.status, 404);
    assert.equal((await agent.post('/v1/sessions', { keepSnapshots: -1 })).status, 400);
  });

  it('needs no body', async () => {
    const [id] = await ran('x = 1');
    const response = await agent.fetch(`${session.path}/undo`, { method: 'POST' });
    assert.deepEqual(((await response.json()) as Undone).executions, [id]);
  });

  it('keeps none where none were asked for, or where the pool says so', async () => {
    await session.delete();
    for (const body of [{}, { keepSnapshots: 0 }]) {
      session = await SessionClient.create(agent, body);
      await ran('x = 1', 'x = 2');
      const { keepSnapshots, undoable } = await session.state();
      assert.deepEqual([keepSnapshots, undoable], [0, 0]);
      await refused(1, 'NO_SNAPSHOT', 0);
      const worker = await session.pid();
      assert.deepEqual(
        workersOf(process.pid).filter(({ parent }) => parent === worker),
        [],
      );
      await session.delete();
    }
  });

  it('waits for what was queued before it, and what is queued behind it waits', async () => {
    const [, ...ids] = await ran('l = [1]', 'l.append(2)');
    const client = await new ChannelClient(agent, session.id).opened();
    const running = client.execute('running', 'input(); l.append(3)').finished;
    const waiting = client.execute('waiting', 'l.append(4)').finished;
    client.send({ type: 'undo', request: 1, executions: 3 });
    const behind = client.execute('behind', 'l.append(5); l').finished;
    await session.answer('running');
    const { value } = await client.wait('reply', ({ request }) => request === 1);
    assert.deepEqual((value as Undone).executions, ['waiting', 'running', ...ids]);
    assert.equal((await behind).result?.data['text/plain'], '[1, 5]');
    for (const ended of [running, waiting]) assert.equal((await ended).status, 'ok');
    client.close();
  });

  it('counts those whose changes stand: not what was rolled back, cancelled or undone', async () => {
    const [first] = await ran('l = [1]');
    await session.run('l.append(2); 1/0', ON_FAILURE);
    const { id: failed, status } = await session.run('l.append(3); 1/0');
    assert.equal(status, 'error');
    const { id: kept } = await session.run('l.append(4)', ON_FAILURE);
    await session.run(`l.append(5); ${DIE}`, ON_FAILURE);
    assert.deepEqual((await undone(2)).executions, [kept, failed]);
    assert.equal(await session.value('l'), '[1]');
    await undone(1);
    assert.deepEqual((await undone(1)).executions, [first]);
  });

  it('is refused in an open transaction; the executions of one that was committed are as any others', async () => {
    const [first] = await ran('l = [1]');
    const { id: opening } = await session.run('l.append(2)', EXPLICIT);
    const [joining] = await ran('l.append(3)');
    await refused(1, 'TRANSACTION_OPEN');
    assert.equal((await session.end('commit')).http, 200);
    assert.deepEqual((await undone(1)).executions, [joining]);
    assert.equal(await session.value('l'), '[1, 2]');
    await undone(1);
    assert.deepEqual((await undone(2)).executions, [opening, first]);
    assert.equal(await session.value('"l" in globals()'), 'False');
  });

  it('goes back over a transaction that was rolled back', async () => {
    const ids = await ran('l = [1]', 'l.append(2)');
    await session.run('l.append(3)', EXPLICIT);
    await session.run('l.append(4)');
    assert.equal((await session.end('rollback')).body.outcome, 'rolled_back');
    assert.equal((await session.state()).undoable, 2);
    assert.deepEqual((await undone(1)).executions, [ids[1]]);
    assert.equal(await session.value('l'), '[1]');
  });

  it('has no snapshot of a transaction that copies, but of what ran before', async () => {
    await ran('l = [1]', 'l.append(2)');
    const copied = { transaction: { policy: 'rollback_on_failure', snapshot: 'copy' } };
    const { id } = await session.run('l.append(3)', copied);
    const failed = await session.run('l.append(4); 1/0', copied);
    assert.deepEqual([failed.transaction?.snapshot, failed.transaction?.outcome], ['copy', 'rolled_back']);
    await refused(1, 'NO_SNAPSHOT');
    assert.deepEqual((await undone(2)).executions[0], id);
    assert.equal(await session.value('l'), '[1]');
  });

  it('undoes random numbers, tasks and all that a process has', async () => {
    await ran(
      'import asyncio, os, random, sys\nlog = []\nasync def tick():\n  for i in range(10_000): log.append(i); await asyncio.sleep(0.005)\ntask = asyncio.create_task(tick())',
      'class A: n = 0\nrandom.seed(7)',
    );
    const before = await session.value('[random.random() for _ in range(3)]');
    await ran('A.n = 1; os.chdir("/"); sys.marked = 1; os.environ["MARKED"] = "1"; task.cancel()');
    await undone(2);
    assert.equal(await session.value('[random.random() for _ in range(3)]'), before);
    const clean = 'A.n, os.getcwd() == "/", hasattr(sys, "marked"), "MARKED" in os.environ';
    assert.equal(await session.value(clean), '(0, False, False, False)');
    const grown = 'n = len(log); await asyncio.sleep(0.1); log == list(range(len(log))), len(log) > n';
    assert.equal(await session.value(grown), '(True, True)');
  });

  it('says what it did not undo', async () => {
    await ran('import subprocess');
    await ran('f = open("made.txt", "w"); f.write("x"); f.flush(); p = subprocess.Popen(["sleep", "60"])');
    const said = (await undone()).notRolledBack.join('\n');
    assert.match(said, /open file .*made\.txt/);
    assert.match(said, /child process \d+ \(sleep\)/);
    assert.match(said, /changed file made\.txt/);
    assert.ok(workersOf(process.pid).every(({ name }) => name !== 'sleep'));
  });

  it('has no snapshot of what ran beside a thread, but of what ran before', async () => {
    await ran('l = [1]', 'l.append(2)');
    await ran(THREAD, 'l.append(3)', 'l.append(4)');
    await refused(1, 'NO_SNAPSHOT');
    await refused(2, 'NO_SNAPSHOT');
    assert.equal((await undone(3)).executions.length, 3);
    assert.equal(await session.value('l, "t" in globals()'), '([1, 2], False)');
  });

  it('is asked for over the channel too, and all clients see it', async () => {
    const client = await new ChannelClient(agent, session.id).opened();
    const other = await new ChannelClient(agent, session.id, { protocols: ['replpool.v1.msgpack'] }).opened();
    const ids = await ran('x = [0]', 'x.append(1)', 'x.append(2)');
    client.send({ type: 'execute', id: 'a', code: 'x.append(3)' });
    client.send({ type: 'undo', request: 1, executions: 2 });
    const { value } = await client.wait('reply', ({ request }) => request === 1);
    assert.deepEqual((value as Undone).executions, ['a', ids[2]]);
    await other.wait('session', ({ reason, stateEpoch }) => reason === 'undo' && stateEpoch === 2);
    client.send({ type: 'undo', request: 'two' });
    await client.wait('reply', ({ request }) => request === 'two');
    assert.equal(await session.value('x'), '[0]');
    client.send({ type: 'undo', request: 3, executions: 1000 });
    const { problem } = await client.wait('problem', ({ request }) => request === 3);
    assert.equal(problem.code, 'NO_SNAPSHOT');
    for (const each of [client, other]) each.close();
  });

  it('forgets an input() of a thread that is gone, and reads again', async () => {
    await ran('x = 1');
    await session.run('import threading\nthreading.Thread(target=input, daemon=True).start()', { id: 'asks' });
    await undone();
    const late = await session.post('/executions/asks/input', { value: 'v' });
    assert.equal(late.http, 409);
    assert.equal((await session.run('y = input()', { stdin: 'v\n' })).status, 'ok');
  });

  it('again and again keeps the session and its output', async () => {
    await ran('n = 0');
    for (let round = 1; round <= 12; round += 1) {
      const { stdout, result } = await session.run(`n += 1; print("${round}"); n`);
      assert.deepEqual([stdout, result?.data['text/plain']], [`${round}\n`, '1']);
      assert.equal((await undone()).stateEpoch, 1 + round);
    }
    await session.settled();
  });

  describe('of what a death undid:', () => {
    for (const [how, code, reason] of [
      ['kill -9', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', 'signal'],
      ['a segfault', 'import ctypes; ctypes.string_at(0)', 'crash'],
      ['an exit', DIE, 'exit'],
    ] as const) {
      it(`a session comes back from ${how} as it was before that execution`, async () => {
        await ran('l = [1]', 'l.append(2)');
        const { status, error, transaction, executionCount } = await session.run(`l.append(3); ${code}`);
        assert.deepEqual([status, transaction, executionCount], ['killed', undefined, 3]);
        assert.ok(error && 'reason' in error && error.reason === reason);
        assert.equal(await session.value('l'), '[1, 2]');
        assert.deepEqual(returns(await session.settled()), [{ reason, restored: 'twin' }]);
        const { stateEpoch, executionCount: count } = await session.state();
        assert.deepEqual([stateEpoch, count], [1, 4]);
        await undone(2);
        assert.equal(await session.value('l'), '[1]');
      });
    }

    it('what waits behind it goes on', async () => {
      await ran('l = [1]');
      const running = await session.begin(`input(); l.append(2); ${DIE}`, { id: 'running' });
      const behind = await session.begin('l.append(3); l', { id: 'behind' });
      await session.answer('running');
      assert.equal((await running.ended).body.status, 'killed');
      assert.equal((await behind.ended).body.result?.data['text/plain'], '[1, 3]');
    });

    it('a timeout that only SIGKILL ends leaves the state before', async () => {
      await ran('l = [1]');
      const deaf = 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); l.append(2)\nwhile True: pass';
      assert.equal((await session.run(deaf, { timeoutSeconds: 1 })).status, 'timeout');
      assert.equal(await session.value('l'), '[1]');
      assert.equal((await session.state()).stateEpoch, 1);
    });

    it('between executions: the last of them is gone, and the state epoch says so', async () => {
      await ran('l = [1]', 'import os; l.append(2)');
      const worker = await session.pid();
      kill(worker);
      await eventually('the state epoch rises', async () => (await session.state()).stateEpoch === 2);
      // The one that asked for the pid.
      assert.equal((await session.state()).undoable, 2);
      assert.equal(await session.value('l'), '[1, 2]');
      kill(await session.pid());
      await eventually('the state epoch rises', async () => (await session.state()).stateEpoch === 3);
      assert.equal((await undone(2)).executions.length, 2);
      assert.equal(await session.value('l'), '[1]');
      assert.deepEqual(
        returns(await session.settled()).map(({ restored }) => restored),
        ['twin', 'twin', 'twin'],
      );
    });

    it('where the last execution has no snapshot, an older one brings back what it can, and what waits is cancelled', async () => {
      await ran('l = [1]', 'l.append(2)', THREAD, 'l.append(3)');
      const running = await session.begin(`input(); ${DIE}`, { id: 'running' });
      const behind = await session.begin('l', { id: 'behind' });
      await session.answer('running');
      assert.equal((await running.ended).body.status, 'killed');
      assert.equal((await behind.ended).body.status, 'cancelled');
      await session.settled();
      assert.equal((await session.state()).stateEpoch, 2);
      assert.equal(await session.value('l, "t" in globals()'), '([1, 2], False)');
    });

    it('three that undid nothing else do not open the circuit', async () => {
      await ran('l = [1]');
      for (let n = 0; n < 5; n += 1) assert.equal((await session.run(`l.append(2); ${DIE}`)).status, 'killed');
      assert.equal(await session.value('l'), '[1]');
    });

    it('a death of all its snapshots too leaves an empty namespace', async () => {
      await ran('l = [1]', 'l.append(2)');
      const worker = await session.pid();
      for (const { pid, parent } of workersOf(process.pid)) if (parent === worker) kill(pid);
      await eventually('none can be undone', async () => (await session.state()).undoable === 0);
      await refused(1, 'NO_SNAPSHOT', 0);
      assert.equal(await session.value('l'), '[1, 2]');
      for (const { pid, parent } of workersOf(process.pid)) if (parent === worker) kill(pid);
      kill(worker);
      await eventually('the state epoch rises', async () => (await session.state()).stateEpoch === 2);
      assert.equal(await session.value('"l" in globals()'), 'False');
      assert.equal(returns(await session.settled()).at(-1)?.restored, 'nothing');
    });

    it('one killed snapshot leaves those before and after it', async () => {
      await ran('l = [1]');
      const worker = await session.pid();
      const children = () =>
        workersOf(process.pid)
          .filter(({ parent }) => parent === worker)
          .map(({ pid }) => pid);
      const before = children();
      await ran('l.append(2)');
      const [made] = children().filter((pid) => !before.includes(pid));
      await ran('l.append(3)');
      kill(made ?? 0);
      await eventually('its loss is told', async () =>
        ofType(await session.settled(), 'warning').some(({ code }) => code === 'SNAPSHOT_LOST'),
      );
      await refused(2, 'NO_SNAPSHOT');
      await undone(1);
      assert.equal(await session.value('l'), '[1, 2]');
      // The one that looked has a snapshot, what it looked at has none, the one that asked for the pid has.
      await refused(2, 'NO_SNAPSHOT');
      await undone(3);
      assert.equal(await session.value('l'), '[1]');
    });
  });

  it('is over with a restart, and leaves no process with the session', async () => {
    await ran('l = [1]', 'l.append(2)');
    const had = workersOf(process.pid).length;
    await session.restart();
    assert.equal((await session.state()).undoable, 0);
    await refused(1, 'NO_SNAPSHOT', 0);
    await eventually('the snapshots are gone', () => workersOf(process.pid).length < had);
    await ran('l = [3]', 'l.append(4)');
    await undone();
    assert.equal(await session.value('l'), '[3]');
    await session.delete();
    session = await SessionClient.create(agent, { keepSnapshots: KEPT });
  });

  it('and a restart, a delete or another undo at once harm nobody', async () => {
    await ran('l = [1]', 'l.append(2)', 'l.append(3)');
    const both = await Promise.all([session.undo(), session.undo()]);
    for (const { http } of both) assert.equal(http, 200);
    assert.equal(await session.value('l'), '[1]');
    for (let round = 0; round < 4; round += 1) {
      await ran('l = [1]', 'l.append(2)');
      const undoing = session.undo();
      await session.restart();
      const { http, code } = await undoing;
      assert.ok(http === 200 || http === 409 || http === 500, `${http} ${code}`);
      assert.equal(await session.value('"l" in globals()'), 'False');
    }
    await session.settled();
    await ran('l = [1]', 'l.append(2)');
    const undoing = session.undo();
    await session.delete();
    assert.ok([200, 404, 410, 409, 500].includes((await undoing).http));
    session = await SessionClient.create(agent, { keepSnapshots: KEPT });
  });
});

describe('a pool that keeps snapshots', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0, onCrash: 'Lose', keepSnapshots: 2 } });
  });
  after(() => agent.close());

  it('keeps them for each session that does not say otherwise', async () => {
    const session = await SessionClient.create(agent);
    for (const code of ['l = [1]', 'l.append(2)', 'l.append(3)']) await session.run(code);
    const { keepSnapshots, undoable } = await session.state();
    assert.deepEqual([keepSnapshots, undoable], [2, 2]);
    assert.equal((await session.undo(2)).http, 200);
    assert.equal(await session.value('l'), '[1]');
    const other = await SessionClient.create(agent, { keepSnapshots: 0 });
    await other.run('x = 1');
    assert.equal((await other.undo()).code, 'NO_SNAPSHOT');
  });

  it('goes on after a crash where it would lose a session without them', async () => {
    const session = await SessionClient.create(agent);
    await session.run('l = [1]');
    const { status }: Execution = await session.run(`l.append(2); ${DIE}`);
    assert.equal(status, 'killed');
    assert.equal(await session.value('l'), '[1]');
    await session.delete();
  });

  it('leaves no process of sessions that are deleted', async () => {
    const before = workersOf(process.pid).length;
    const sessions = await Promise.all([1, 2, 3].map(() => SessionClient.create(agent)));
    for (const session of sessions) for (const code of ['x = 1', 'x = 2', 'x = 3']) await session.run(code);
    // Each with two snapshots.
    await workersLeft(process.pid, before + 3 * 3);
    for (const session of sessions) await session.delete();
    await workersLeft(process.pid, before);
  });
});
