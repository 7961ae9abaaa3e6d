import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Execution, Problem, SessionEvent, VariableDetail } from '@replpool/protocol';
import { AgentProcess } from './agent-process.ts';
import { ChannelClient } from './channel-client.ts';
import { eventually } from './eventually.ts';
import { isAlive, kill, type ProcessSeen, workersLeft, workersOf } from './processes.ts';
import { RealAgent } from './real-agent.ts';
import { SessionClient } from './session-client.ts';
import { checkEvents, ofType, returns } from './session-events.ts';

const ON_FAILURE = { transaction: { policy: 'rollback_on_failure' } };
const EXPLICIT = { transaction: { policy: 'explicit' } };
const COPY = { transaction: { policy: 'rollback_on_failure', snapshot: 'copy' } };
const FORK_DEMANDED = { transaction: { policy: 'rollback_on_failure', snapshot: 'fork' } };
const DIE = '__import__("os")._exit(1)';
const THREAD =
  'import threading, time\nt = threading.Thread(target=time.sleep, args=(60,), daemon=True, name="mine"); t.start()';
/** Before a rollback the files of the folder are looked at: these make it take some 100 ms. */
const MANY_FILES = 'import os\nfor i in range(9000): open(f"f{i}", "w").close()';
/** A twin is waited for 10 s, at most twice; the rest is for a slow machine. */
const BOUND_MS = 30_000;

describe('a worker that dies in a transaction, whenever that is', function () {
  this.timeout(120_000);
  let agent: RealAgent;
  let session: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 1, interruptGraceSeconds: 1 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await SessionClient.create(agent);
  });
  afterEach(() => session.delete());
  const stateEpoch = async () => (await session.state()).stateEpoch;

  it('while the rollback of an execution is prepared: it is rolled back once, and the queue goes on', async () => {
    await session.run(`${MANY_FILES}\nx = [1]`);
    const client = await new ChannelClient(agent, session.id).opened();
    for (const [n, waitMs] of [0, 3, 10, 30, 60, 100].entries()) {
      const worker = await session.pid();
      const failing = session.execute('x.append(2); 1/0', { ...ON_FAILURE, id: `fails-${n}` });
      await client.wait('error', ({ execution }) => execution === `fails-${n}`);
      const behind = session.execute('x', { id: `behind-${n}` });
      await sleep(waitMs);
      kill(worker);
      const { status, transaction } = (await failing).body;
      assert.ok(['error', 'killed'].includes(status), status);
      assert.equal(transaction?.outcome, 'rolled_back');
      const next = (await behind).body;
      assert.deepEqual([next.status, next.result?.data['text/plain']], ['ok', '[1]'], `killed after ${waitMs} ms`);
    }
    client.close();
    await session.settled();
    assert.equal(await stateEpoch(), 1);
  });

  it('while an explicit rollback is prepared: it is rolled back once, and what the queue sees fits the state epoch', async () => {
    await session.run(`${MANY_FILES}\nx = [1]`);
    for (const [n, waitMs] of [0, 5, 20, 50, 100, 200].entries()) {
      const before = await stateEpoch();
      await session.run('x.append(2)', EXPLICIT);
      const worker = await session.pid();
      const ending = session.end('rollback');
      const behind = session.execute('x');
      await sleep(waitMs);
      kill(worker);
      const { http, body, code } = await ending;
      if (http === 200) assert.equal(body.outcome, 'rolled_back');
      else assert.deepEqual([http, code], [409, 'NO_TRANSACTION']);
      const { status, result } = (await behind).body;
      await session.settled();
      const risen = (await stateEpoch()) - before;
      if (status === 'cancelled') assert.equal(risen, 1, 'it is cancelled though nothing was lost');
      else assert.deepEqual([status, result?.data['text/plain']], ['ok', '[1]'], `killed after ${waitMs} ms`);
      assert.equal(await session.value('x'), '[1]');
      // Three such deaths within a minute would open the circuit.
      if (n % 2 === 1) await restarted();
    }
  });

  const restarted = async () => {
    await session.restart();
    await session.run('x = [1]');
  };

  for (const hook of ['before', 'after_in_parent'] as const) {
    it(`while its snapshot is taken, in a hook of the code (${hook}): it ends, and what the queue sees fits the state epoch`, async () => {
      const slow = `lambda: (open("forking", "w").close(), time.sleep(0.5))`;
      await session.run(`import os, time\nx = 1\nos.register_at_fork(${hook}=${slow})`);
      const worker = await session.pid();
      const folder = (await session.value('os.getcwd()')).slice(1, -1);
      const dying = session.execute('x = 2', { ...ON_FAILURE, id: 'dies' });
      const behind = session.execute('x', { id: 'behind' });
      await eventually('the snapshot is being taken', () => existsSync(join(folder, 'forking')));
      kill(worker);
      const { http, body, code } = await dying;
      if (http === 200) assert.ok(['killed', 'cancelled'].includes(body.status), body.status);
      else assert.deepEqual([http, code], [500, 'WORKER_FAILED']);
      const next = (await behind).body;
      await session.settled();
      const isLost = (await stateEpoch()) > 1;
      if (hook === 'before') assert.ok(isLost);
      assert.equal(next.status, isLost ? 'cancelled' : 'ok');
      assert.equal(await session.value('str(globals().get("x"))'), isLost ? "'None'" : "'1'");
    });
  }

  it('while a copy is taken: the namespace is gone, and the queue with it', async () => {
    const slow = 'open("copying", "w").close(); time.sleep(60)';
    await session.run(`import time\nx = 1\nclass A:\n  def __deepcopy__(self, memo): ${slow}\na = A()`);
    const worker = await session.pid();
    const folder = (await session.value('__import__("os").getcwd()')).slice(1, -1);
    const dying = session.execute('x = 2', { ...COPY, id: 'dies' });
    const behind = session.execute('x', { id: 'behind' });
    await eventually('the copy is being taken', () => existsSync(join(folder, 'copying')));
    kill(worker);
    await dying;
    assert.equal((await behind).body.status, 'cancelled');
    const events = await session.settled();
    assert.deepEqual(returns(events), [{ reason: 'signal', restored: 'nothing' }]);
    const ended = ofType(events, 'finished').map(({ execution }) => execution);
    assert.deepEqual(ended.slice(-2), ['dies', 'behind']);
    assert.equal(await stateEpoch(), 2);
  });

  it('while others wait: they run on the state before, where nothing is lost that clients know of', async () => {
    await session.run('x = [1]');
    const worker = await session.pid();
    const go = 'x.append(2); print("go", flush=True); input()';
    const running = await session.begin(go, { ...ON_FAILURE, id: 'running' });
    const behind = [];
    for (const id of ['a', 'b', 'c']) behind.push(await session.begin(`x.append("${id}")`, { id }));
    await session.prints('running', 'go');
    kill(worker);
    const { status, transaction } = (await running.ended).body;
    assert.deepEqual([status, transaction?.outcome], ['killed', 'rolled_back']);
    for (const { ended } of behind) assert.equal((await ended).body.status, 'ok');
    assert.deepEqual(returns(await session.settled()), [{ reason: 'signal', restored: 'twin' }]);
    assert.equal(await session.value('x'), "[1, 'a', 'b', 'c']");
    assert.equal(await stateEpoch(), 1);
  });

  it('in the first execution of an explicit one: what waits goes on outside of it', async () => {
    await session.run('x = [1]');
    const worker = await session.pid();
    const go = 'x.append(2); print("go", flush=True); input()';
    const running = await session.begin(go, { ...EXPLICIT, id: 'running' });
    const behind = await session.begin('x', { id: 'behind' });
    await session.prints('running', 'go');
    kill(worker);
    assert.equal((await running.ended).body.transaction?.outcome, 'rolled_back');
    const { result, transaction } = (await behind.ended).body;
    assert.deepEqual([result?.data['text/plain'], transaction], ['[1]', undefined]);
    await session.settled();
    assert.equal(await stateEpoch(), 1);
    assert.equal((await session.end('commit')).code, 'NO_TRANSACTION');
  });

  it('in an explicit one of which clients have outcomes: what was sent on top of those is cancelled', async () => {
    await session.run('x = [1]');
    await session.run('x.append(2)', EXPLICIT);
    const worker = await session.pid();
    const running = await session.begin('x.append(3); print("go", flush=True); input()', { id: 'running' });
    const behind = [];
    for (const id of ['a', 'b', 'c']) behind.push(await session.begin('x.append(4)', { id }));
    await session.prints('running', 'go');
    kill(worker);
    const { status, transaction } = (await running.ended).body;
    assert.deepEqual([status, transaction?.outcome], ['killed', 'rolled_back']);
    for (const { ended } of behind) assert.equal((await ended).body.status, 'cancelled');
    const events = await session.settled();
    assert.deepEqual(returns(events), [{ reason: 'signal', restored: 'twin' }]);
    assert.deepEqual(
      ofType(events, 'finished')
        .map(({ execution }) => execution)
        .slice(-4),
      ['running', 'a', 'b', 'c'],
      'first what died, then what is cancelled for it',
    );
    assert.equal(await session.value('x'), '[1]');
    assert.equal(await stateEpoch(), 2);
  });

  it('in an explicit one, between its executions: its end is told once', async () => {
    await session.run('x = [1]');
    const { transaction } = await session.run('x.append(2)', EXPLICIT);
    kill(await session.pid());
    await eventually('the state epoch rises', async () => (await stateEpoch()) === 2);
    assert.deepEqual(ends(await session.settled()), [[transaction?.id, 'rolled_back']]);
    assert.equal(await session.value('x'), '[1]');
  });

  for (const [how, code] of [
    ['failed', '1/0'],
    ['died', DIE],
  ] as const) {
    it(`and one after which code ${how}: the session still tells where stuck code stands`, async () => {
      for (let n = 0; n < 10; n += 1) await session.run(code, ON_FAILURE);
      const deaf =
        'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\ndef stands_here():\n  while True: pass\n';
      const { status, warnings } = await session.run(`${deaf}stands_here()`, { timeoutSeconds: 1 });
      assert.equal(status, 'timeout');
      assert.match(JSON.stringify(warnings), /stands_here/);
    });
  }

  it('under a copy: the namespace is gone, and the transaction says so', async () => {
    await session.run('x = [1]');
    const { status, transaction } = await session.run(`x.append(2); ${DIE}`, COPY);
    assert.equal(status, 'killed');
    assert.match(transaction?.reason ?? '', /namespace is gone/);
    assert.equal(await session.value('"x" in globals()'), 'False');
    assert.deepEqual(returns(await session.settled()), [{ reason: 'exit', restored: 'nothing' }]);
    assert.equal(await stateEpoch(), 2);
  });

  it('opens the circuit only by deaths that undo what clients know of', async () => {
    await session.run('x = [1]');
    for (let n = 0; n < 5; n += 1) await session.run(`x.append(2); ${DIE}`, ON_FAILURE);
    assert.equal(await session.value('x'), '[1]');
    for (let n = 1; n <= 3; n += 1) {
      await session.run('x.append(2)', EXPLICIT);
      assert.equal((await session.run(DIE)).transaction?.outcome, 'rolled_back');
      await eventually('it came back', async () => (await stateEpoch()) === 1 + n);
    }
    const refused = await session.execute('x');
    assert.deepEqual([refused.http, refused.code], [503, 'CIRCUIT_OPEN']);
    await restarted();
    assert.equal(await session.value('x'), '[1]');
  });

  it('or its twin does: a rollback is refused then, and what was changed stays', async () => {
    await session.run('x = [1]');
    const { transaction } = await session.run('x.append(2)', EXPLICIT);
    const worker = await session.pid();
    const [twin] = workersOf(process.pid).filter(({ parent }) => parent === worker);
    assert.ok(twin);
    kill(twin.pid);
    const codes = async () => ofType(await session.settled(), 'warning').map(({ code }) => code);
    await eventually('its loss is told', async () => (await codes()).length > 0);
    assert.deepEqual(await codes(), ['SNAPSHOT_LOST']);
    const { http, code } = await session.end('rollback');
    assert.deepEqual([http, code], [409, 'NO_SNAPSHOT']);
    const events = await session.settled();
    assert.deepEqual(ends(events), [[transaction?.id, 'committed']]);
    assert.ok(ofType(events, 'transaction').at(-1)?.transaction.reason);
    assert.equal((await session.end('rollback')).code, 'NO_TRANSACTION');
    assert.equal(await session.value('x'), '[1, 2]');
    assert.equal(await session.pid(), worker);
  });
});

/** The ids of the transactions that have ended, and how. */
function ends(events: readonly SessionEvent[]) {
  return ofType(events, 'transaction').flatMap(({ transaction: { id, outcome } }) =>
    outcome === 'open' ? [] : [[id, outcome]],
  );
}

describe('a session that is lost by a crash, with a twin', function () {
  this.timeout(60_000);

  it('goes on after a death that undoes nothing else, and ends with one outside of transactions', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 0, onCrash: 'Lose' } });
    try {
      const session = await SessionClient.create(agent);
      await session.run('x = [1]');
      const { status, transaction } = await session.run(`x.append(2); ${DIE}`, ON_FAILURE);
      assert.deepEqual([status, transaction?.outcome], ['killed', 'rolled_back']);
      assert.equal(await session.value('x'), '[1]');
      await session.run(DIE);
      const gone = await session.execute('x');
      assert.deepEqual([gone.http, gone.code], [410, 'SESSION_LOST']);
    } finally {
      await agent.close();
    }
  });
});

describe('a twin that hangs in a hook of the code', function () {
  this.timeout(90_000);
  const HANGS = 'import os\nx = [1]\nos.register_at_fork(after_in_child=lambda: __import__("time").sleep(3600))';
  let agent: RealAgent;
  let session: SessionClient;
  let others: readonly ProcessSeen[];
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 0, interruptGraceSeconds: 1 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    others = workersOf(process.pid);
    session = await SessionClient.create(agent);
    await session.run(HANGS);
  });
  afterEach(() => session.delete());
  /** Ends the session, which has come to rest. */
  const leavesNothing = async () => {
    const own = workersOf(process.pid).filter(({ pid }) => !others.some((other) => other.pid === pid));
    assert.notEqual(own.length, 0);
    await eventually('the session is idle', async () => (await session.state()).state === 'idle');
    const events = await session.events();
    await session.delete();
    await workersLeft(process.pid, others.length, own);
    checkEvents(events);
  };
  const inTime = async <T>(act: Promise<T>, boundMs = BOUND_MS): Promise<T> => {
    const began = performance.now();
    const done = await act;
    assert.equal((await session.run('globals().get("x")')).status, 'ok');
    assert.ok(performance.now() - began < boundMs, `it took ${Math.round(performance.now() - began)} ms`);
    return done;
  };

  for (const [how, code, status] of [
    ['a failure', 'x.append(2); 1/0', 'error'],
    ['a timeout', 'x.append(2)\nwhile True: pass', 'timeout'],
    ['a death', 'x.append(2); os._exit(1)', 'killed'],
  ] as const) {
    it(`is waited for at the end by ${how}, but not for ever`, async () => {
      const ended = await inTime(
        session.run(code, { ...ON_FAILURE, ...(how === 'a timeout' && { timeoutSeconds: 1 }) }),
      );
      assert.equal(ended.status, status);
      await leavesNothing();
    });
  }

  it('is not waited for for ever where the worker is killed from outside, in an execution or between', async () => {
    const worker = await session.pid();
    const running = await session.begin('print("go", flush=True); input()', { ...EXPLICIT, id: 'running' });
    await session.prints('running', 'go');
    kill(worker);
    assert.equal((await inTime(running.ended)).body.status, 'killed');
    await session.run(HANGS);
    await session.run('x.append(2)', EXPLICIT);
    kill(await session.pid());
    await leavesNothing();
  });

  it('is not waited for for ever by an explicit rollback', async () => {
    await session.run('x.append(2)', EXPLICIT);
    const { http, code } = await inTime(session.end('rollback'));
    assert.ok(http === 200 || code === 'NO_SNAPSHOT', `${http} ${code}`);
    await leavesNothing();
  });

  it('does not hold up a restart', async () => {
    await session.run('x.append(2)', EXPLICIT);
    await inTime(session.restart(), BOUND_MS / 4);
    assert.equal(await session.value('"x" in globals()'), 'False');
    await leavesNothing();
  });

  for (const how of ['ends', 'is killed'] as const) {
    it(`is gone when its agent ${how}`, async () => {
      const other = await AgentProcess.start({ sessions: { minIdle: 0 } });
      const hanging = await SessionClient.create(other);
      await hanging.run(HANGS);
      await hanging.run('x.append(2)', EXPLICIT);
      const left = workersOf(other.pid);
      assert.equal(left.length, 2);
      if (how === 'ends') await other[Symbol.asyncDispose]();
      else await other.kill();
      await eventually('no process is left', () => !left.some(isAlive));
    });
  }
});

describe('a snapshot that cannot be had', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  let session: SessionClient;
  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 1 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await SessionClient.create(agent);
    await session.run(THREAD);
  });
  afterEach(async () => {
    assert.equal(await session.value('"x" in globals()'), 'False');
    await session.settled();
    await session.delete();
  });
  const cancelled = ({ status, error }: Execution) => {
    assert.equal(status, 'cancelled');
    assert.ok(error && 'code' in error && error.code === 'FORK_UNSAFE', JSON.stringify(error));
  };
  const DEMANDED = { code: 'x = 1', id: 'demanded', ...FORK_DEMANDED };

  it('is told in the stream of the execution, which ends', async () => {
    const events: SessionEvent[] = [];
    for await (const event of agent.events(session.id, DEMANDED)) events.push(event);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['queued', 'error', 'finished'],
    );
    for (const { outcome } of ofType(events, 'finished')) cancelled(outcome);
  });

  it('is told over the channel, which goes on', async () => {
    const client = await new ChannelClient(agent, session.id).opened();
    client.send({ type: 'execute', ...DEMANDED });
    client.send({ type: 'execute', id: 'next', code: '1' });
    cancelled((await client.wait('finished', ({ execution }) => execution === 'demanded')).outcome);
    assert.equal((await client.wait('finished', ({ execution }) => execution === 'next')).status, 'ok');
    client.close();
  });

  it('is in the outcome for who does not wait', async () => {
    const accepted = await session.post('/executions?wait=false', DEMANDED);
    assert.equal(accepted.http, 202);
    const outcome = await eventually('it ends', async () => {
      const known = await session.execution('demanded');
      return known && ['queued', 'running'].includes(known.status) ? undefined : known;
    });
    cancelled(outcome);
  });
});

describe('commit_on_success by a copy', function () {
  this.timeout(60_000);

  it('shows others the state before, changes in place included, until it is kept', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 0 } });
    try {
      const session = await SessionClient.create(agent);
      await session.run('x = 1; l = [1]');
      const variable = async (name: string) => {
        const response = await agent.fetch(`${session.path}/variables/${name}`);
        const said = (await response.json()) as VariableDetail & Problem;
        return response.ok ? said.summary : said.code;
      };
      const go = 'x = 2; l.append(2); y = 3; print("go", flush=True); input()';
      const copied = { transaction: { policy: 'commit_on_success', snapshot: 'copy' } };
      const hidden = session.run(go, { ...copied, id: 'hidden' });
      await session.prints('hidden', 'go');
      const seen = () => Promise.all(['x', 'l', 'y'].map(variable));
      assert.deepEqual(await seen(), ['1', '[1]', 'VARIABLE_NOT_FOUND']);
      await session.answer('hidden');
      const { transaction } = await hidden;
      assert.deepEqual([transaction?.outcome, transaction?.snapshot], ['committed', 'copy']);
      assert.deepEqual(await seen(), ['2', '[1, 2]', '3']);
    } finally {
      await agent.close();
    }
  });
});
