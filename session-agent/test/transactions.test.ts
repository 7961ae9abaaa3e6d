import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Execution, Problem, SessionEvent, Transaction } from '@replpool/protocol';
import { ChannelClient } from './channel-client.ts';
import { oneSession } from './one-session.ts';

const ON_FAILURE = { transaction: { policy: 'rollback_on_failure' } };
const ON_SUCCESS = { transaction: { policy: 'commit_on_success' } };
const EXPLICIT = { transaction: { policy: 'explicit' } };

describe('transactions', function () {
  this.timeout(60_000);
  const its = oneSession({ sessions: { minIdle: 1, interruptGraceSeconds: 1 } });
  const { run, value, state } = its;
  const end = (how: 'commit' | 'rollback', body: object = {}) =>
    its.agent.post(`/v1/sessions/${its.session.id}/transaction/${how}`, body);
  const eventsOf = async (execution: string): Promise<SessionEvent[]> => {
    const response = await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/${execution}/events`);
    return (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as SessionEvent);
  };

  describe('rollback_on_failure', () => {
    it('undoes what failed code changed in place, and keeps what succeeded', async () => {
      await run('l = [1]; d = {}\nclass A: n = 0\nimport sys');
      const kept = await run('l.append(2)', ON_FAILURE);
      assert.equal(kept.transaction?.outcome, 'committed');
      assert.equal(kept.transaction?.snapshot, 'fork');
      const failed = await run('l.append(3); d["x"] = 1; A.n = 9; sys.marked = 1; new = 1; del l[0]; 1/0', ON_FAILURE);
      assert.equal(failed.status, 'error');
      assert.ok(failed.error && 'name' in failed.error && failed.error.name === 'ZeroDivisionError');
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.deepEqual(failed.variables, { added: [], changed: [], deleted: [] });
      assert.equal(
        await value('l, d, A.n, hasattr(sys, "marked"), "new" in globals()'),
        '([1, 2], {}, 0, False, False)',
      );
    });

    it('keeps the session: its id, its state epoch, its history, its events in order, its output', async () => {
      const first = await run('x = 1; print("before")');
      const failed = await run('print("within"); x = 2; raise ValueError("no")', ON_FAILURE);
      const after = await run('print("after"); x');
      assert.equal(failed.stdout, 'within\n');
      assert.equal(after.stdout, 'after\n');
      assert.equal(after.result?.data['text/plain'], '1');
      const now = await state();
      assert.equal(now.stateEpoch, its.session.stateEpoch);
      assert.equal(now.state, 'idle');
      const counts = [first, failed, after].map((each) => Number(each.executionCount));
      assert.deepEqual(counts, [1, 2, 3]);
      const events = await eventsOf(failed.id);
      assert.deepEqual(
        events.map(({ type }) => type),
        ['queued', 'started', 'stdout', 'error', 'transaction', 'finished'],
      );
      const numbers = events.map(({ seq }) => seq);
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
    });

    for (const [how, code, reason] of [
      ['kill -9', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', 'signal'],
      ['a segfault', 'import ctypes; ctypes.string_at(0)', 'crash'],
      ['an exit', 'import os; os._exit(3)', 'exit'],
    ] as const) {
      it(`goes back after ${how}, and acknowledged state is not lost`, async () => {
        await run('l = [1]');
        const failed = await run(`l.append(2); ${code}`, ON_FAILURE);
        assert.equal(failed.status, 'killed');
        assert.ok(failed.error && 'reason' in failed.error && failed.error.reason === reason);
        assert.equal(failed.transaction?.outcome, 'rolled_back');
        assert.equal(await value('l'), '[1]');
        const { stateEpoch, state: now } = await state();
        assert.deepEqual([stateEpoch, now], [its.session.stateEpoch, 'idle']);
      });
    }

    it('goes back after a timeout that only SIGKILL ends', async () => {
      await run('l = [1]');
      const code = 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); l.append(2)\nwhile True: pass';
      const failed = await run(code, { ...ON_FAILURE, timeoutSeconds: 1 });
      assert.equal(failed.status, 'timeout');
      assert.equal(failed.error && 'reason' in failed.error && failed.error.reason, 'timeout');
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.equal(await value('l'), '[1]');
    });

    it('goes back after an interrupt', async () => {
      await run('l = [1]');
      const running = run('l.append(2)\nimport time\nprint("go", flush=True)\ntime.sleep(60)', {
        ...ON_FAILURE,
        id: 'long',
      });
      for (;;) {
        const known = (await (
          await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/long`)
        ).json()) as Execution;
        if (known.stdout?.includes('go')) break;
      }
      await its.agent.post(`/v1/sessions/${its.session.id}/interrupt`, {});
      const failed = await running;
      assert.equal(failed.status, 'interrupted');
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.equal(await value('l'), '[1]');
    });

    it('has background tasks go on from where they were', async () => {
      await run(
        'import asyncio\nlog = []\nasync def bg():\n  for i in range(10_000):\n    log.append(i); await asyncio.sleep(0.005)\nt = asyncio.create_task(bg())\nawait asyncio.sleep(0.05)',
      );
      await run('await asyncio.sleep(0.05); raise ValueError', ON_FAILURE);
      await run('await asyncio.sleep(0.05); import os; os._exit(1)', ON_FAILURE);
      const grown = await value('n = len(log); await asyncio.sleep(0.1); log == list(range(len(log))), len(log) > n');
      assert.equal(grown, '(True, True)');
    });

    it('takes input, runs what is queued behind it, and rolls back again and again', async () => {
      await run('n = 0');
      const queued = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          run(i % 2 ? 'n += 1; input()' : 'n += 100; 1/0', { ...ON_FAILURE, stdin: 'x\n' }),
        ),
      );
      assert.deepEqual(
        queued.map(({ status }) => status),
        Array.from({ length: 12 }, (_, i) => (i % 2 ? 'ok' : 'error')),
      );
      assert.equal(await value('n'), '6');
    });

    it('says what it did not undo', async () => {
      const failed = await run(
        'import socket, subprocess\nf = open("made.txt", "w"); f.write("x"); f.flush()\ns = socket.socket()\np = subprocess.Popen(["sleep", "60"])\n1/0',
        ON_FAILURE,
      );
      const said = failed.transaction?.notRolledBack.join('\n') ?? '';
      assert.match(said, /open file .*made\.txt/);
      assert.match(said, /socket/);
      assert.match(said, /child process \d+ \(sleep\)/);
      assert.match(said, /changed file made\.txt/);
    });

    it('leaves no process, no zombie and no descriptor behind', async () => {
      const pid = Number(await value('import os; os.getpid()'));
      const launcher = Number(await value('os.getppid()'));
      const childrenOf = (process: number) =>
        readFileSync(`/proc/${process}/task/${process}/children`, 'utf8').trim().split(' ').length;
      const count = async () => ({
        fds: readdirSync('/proc/self/fd').length,
        workers: childrenOf(launcher),
        twins: Number(await value('len(open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split())')),
        workerFds: Number(await value('len(os.listdir("/proc/self/fd"))')),
      });
      const settled = async () => {
        // A twin that is not needed ends and is reaped a moment later.
        for (;;) {
          const now = await count();
          if (now.twins === 0) return now;
          await sleep(5);
        }
      };
      for (let n = 0; n < 4; n += 1) await run(n % 2 ? '1/0' : '1', ON_FAILURE);
      const before = await settled();
      for (let n = 0; n < 40; n += 1) await run(n % 2 ? '1/0' : '1', ON_FAILURE);
      const after = await settled();
      assert.deepEqual([after.workerFds, after.workers], [before.workerFds, before.workers]);
      assert.ok(after.fds <= before.fds + 2, JSON.stringify([before, after]));
      assert.notEqual(Number(await value('os.getpid()')), pid);
    });
  });

  describe('commit_on_success', () => {
    it('shows others the state before, until it is kept', async () => {
      await run('x = 1');
      const running = run('x = 2\nimport time\nprint("go", flush=True)\ninput()', { ...ON_SUCCESS, id: 'hidden' });
      let seen: Execution;
      do seen = (await (await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/hidden`)).json()) as Execution;
      while (!seen.stdout?.includes('go'));
      const x = async () => {
        const detail = await its.agent.fetch(`/v1/sessions/${its.session.id}/variables/x`);
        return ((await detail.json()) as { summary: string }).summary;
      };
      assert.equal(await x(), '1');
      const completed = await its.agent.post(`/v1/sessions/${its.session.id}/complete`, { code: 'x.real', cursor: 3 });
      assert.equal(completed.status, 200);
      await its.agent.post(`/v1/sessions/${its.session.id}/executions/hidden/input`, { value: '' });
      assert.equal((await running).transaction?.outcome, 'committed');
      assert.equal(await x(), '2');
    });

    it('is as if it never ran, where it fails', async () => {
      await run('x = [1]');
      const failed = await run('x.append(2); y = 3; 1/0', ON_SUCCESS);
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.equal(await value('x, "y" in globals()'), '([1], False)');
    });
  });

  it('commit_always keeps everything, at no cost', async () => {
    const failed = await run('kept = 1; 1/0', { transaction: { policy: 'commit_always' } });
    assert.deepEqual([failed.transaction?.outcome, failed.transaction?.snapshot], ['committed', 'none']);
    assert.equal(await value('kept'), '1');
  });

  describe('explicit', () => {
    it('is open over several executions, and is kept or undone as a whole', async () => {
      await run('x = [0]');
      const first = await run('x.append(1)', EXPLICIT);
      assert.equal(first.transaction?.outcome, 'open');
      const second = await run('x.append(2); 1/0');
      assert.equal(second.transaction?.id, first.transaction?.id);
      assert.equal(await value('x'), '[0, 1, 2]');
      const undone = await end('rollback', { transaction: first.transaction?.id });
      assert.equal(undone.status, 200);
      const told = (await undone.json()) as Transaction;
      assert.deepEqual([told.outcome, told.id], ['rolled_back', first.transaction?.id]);
      assert.equal(await value('x'), '[0]');
      const again = await run('x.append(7)', EXPLICIT);
      assert.notEqual(again.transaction?.id, first.transaction?.id);
      assert.equal(((await (await end('commit')).json()) as Transaction).outcome, 'committed');
      assert.equal(await value('x'), '[0, 7]');
    });

    it('refuses what is not possible in it, and an end of what is not open', async () => {
      assert.equal(((await (await end('commit')).json()) as Problem).code, 'NO_TRANSACTION');
      await run('x = 1', EXPLICIT);
      const nested = await its.agent.post(`/v1/sessions/${its.session.id}/executions`, { code: '1', ...ON_FAILURE });
      assert.deepEqual([nested.status, ((await nested.json()) as Problem).code], [409, 'TRANSACTION_OPEN']);
      const other = await end('rollback', { transaction: 'another' });
      assert.deepEqual([other.status, ((await other.json()) as Problem).code], [409, 'NO_TRANSACTION']);
      assert.equal(await value('x'), '1');
      assert.equal((await end('commit')).status, 200);
    });

    it('waits for what was queued before', async () => {
      await run('x = 0', EXPLICIT);
      const running = [run('import time; time.sleep(0.3); x = 1'), run('x = 2')];
      await new Promise((resolve) => setTimeout(resolve, 50));
      const undone = end('rollback');
      await Promise.all(running);
      assert.equal((await undone).status, 200);
      assert.equal(await value('"x" in globals()'), 'False');
    });

    it('ends with its worker, and then acknowledged state is gone', async () => {
      await run('x = [0]');
      await run('x.append(1)', EXPLICIT);
      const killed = await run('import os; os._exit(1)');
      assert.equal(killed.transaction?.outcome, 'rolled_back');
      assert.equal(await value('x'), '[0]');
      assert.equal((await state()).stateEpoch, its.session.stateEpoch + 1);
      assert.equal((await end('commit')).status, 409);
    });

    it('is undone by a restart, and gone with its session', async () => {
      await run('x = 1', EXPLICIT);
      assert.equal((await its.agent.post(`/v1/sessions/${its.session.id}/restart`, {})).status, 200);
      assert.equal((await end('commit')).status, 409);
      await run('x = 1', EXPLICIT);
      assert.equal((await its.agent.fetch(`/v1/sessions/${its.session.id}`, { method: 'DELETE' })).status, 204);
      its.session = await its.agent.session();
    });
  });

  it('are begun and ended over the channel too, and all clients see it', async () => {
    const client = await new ChannelClient(its.agent, its.session.id).opened();
    const other = await new ChannelClient(its.agent, its.session.id, { protocols: ['replpool.v1.msgpack'] }).opened();
    await run('x = [0]');
    client.send({ type: 'execute', id: 'a', code: 'x.append(1)', ...EXPLICIT });
    client.send({ type: 'rollback', request: 1 });
    const { value: told } = await client.wait('reply', ({ request }) => request === 1);
    const { transaction } = await other.wait('transaction', (event) => event.transaction.outcome === 'rolled_back');
    assert.deepEqual(transaction, told);
    assert.equal(await value('x'), '[0]');
    client.send({ type: 'commit', request: 2 });
    const { problem } = await client.wait('problem', ({ request }) => request === 2);
    assert.equal(problem.code, 'NO_TRANSACTION');
    for (const each of [client, other]) each.close();
  });

  describe('where a fork is not safe', () => {
    const thread =
      'import threading, time\nt = threading.Thread(target=time.sleep, args=(30,), daemon=True, name="mine"); t.start()';

    it('takes a copy, says why, and keeps aliases', async () => {
      await run(`${thread}\na = [1]; b = a; c = {"a": a}`);
      const failed = await run('a.append(2); b = None; d = 1; 1/0', ON_FAILURE);
      assert.equal(failed.transaction?.snapshot, 'copy');
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.match(failed.transaction?.reason ?? '', /mine/);
      assert.equal(await value('a, a is b, c["a"] is a, "d" in globals()'), '([1], True, True, False)');
    });

    it('refuses a fork that was demanded, and runs nothing', async () => {
      await run(thread);
      const body = { code: 'x = 1', id: 'demanded', transaction: { policy: 'rollback_on_failure', snapshot: 'fork' } };
      const refused = await its.agent.post(`/v1/sessions/${its.session.id}/executions`, body);
      const problem = (await refused.json()) as Problem;
      assert.deepEqual([refused.status, problem.code], [409, 'FORK_UNSAFE']);
      assert.match(problem.why, /mine/);
      const known = (await (
        await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/demanded`)
      ).json()) as Execution;
      assert.equal(known.status, 'cancelled');
      assert.equal(await value('"x" in globals()'), 'False');
    });

    it('copies where a copy is demanded', async () => {
      await run('a = [1]');
      const failed = await run('a.append(2); 1/0', {
        transaction: { policy: 'rollback_on_failure', snapshot: 'copy' },
      });
      assert.deepEqual([failed.transaction?.snapshot, failed.transaction?.reason], ['copy', undefined]);
      assert.equal(await value('a'), '[1]');
    });
  });
});
