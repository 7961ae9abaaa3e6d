import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Execution, Session } from '@replpool/protocol';
import { oneSession } from './one-session.ts';

const ON_FAILURE = { transaction: { policy: 'rollback_on_failure' } };
const ON_SUCCESS = { transaction: { policy: 'commit_on_success' } };
const COPY = { transaction: { policy: 'rollback_on_failure', snapshot: 'copy' } };
const EXPLICIT = { transaction: { policy: 'explicit' } };

/** In the folder of a session: between the death of its worker and the take-over these are looked at. */
const MANY_FILES = 'import os\nfor i in range(9000): open(f"f{i}", "w").close()\nx = 1';
const CHILDREN = 'open(f"/proc/self/task/{os.getpid()}/children").read().split()';

describe('transactions of hostile code, and in hostile hands', function () {
  this.timeout(60_000);
  const its = oneSession({ sessions: { minIdle: 0, interruptGraceSeconds: 1 } });
  const { run, value, state } = its;
  const until = async (is: (session: Session) => boolean) => {
    for (;;) {
      const now = await state();
      if (is(now)) return now;
    }
  };
  const says = async (id: string, text: string) => {
    for (;;) {
      const known = (await (
        await its.agent.fetch(`/v1/sessions/${its.session.id}/executions/${id}`)
      ).json()) as Execution;
      if (known.stdout?.includes(text)) return;
    }
  };

  it('drop the question of a thread that is gone with a rollback, and answer the next', async () => {
    await run('x = 1');
    const code =
      'import threading, time\nt = threading.Thread(target=input, daemon=True); t.start()\nwhile not t.is_alive(): pass\ntime.sleep(0.2); 1/0';
    assert.equal((await run(code, { ...ON_FAILURE, id: 'thread' })).transaction?.outcome, 'rolled_back');
    const late = await its.agent.post(`/v1/sessions/${its.session.id}/executions/thread/input`, { value: 'v' });
    assert.equal(late.status, 409);
    assert.equal((await run('y = input()', { stdin: 'v\n' })).status, 'ok');
    const asked = run('y = input("?")', { id: 'asks' });
    while (!(await its.agent.post(`/v1/sessions/${its.session.id}/executions/asks/input`, { value: 'w' })).ok)
      await sleep(5);
    assert.equal((await asked).status, 'ok');
    assert.equal(await value('x, y'), "(1, 'w')");
  });

  it('drop it with an explicit rollback too', async () => {
    await run('import threading, time\nt = threading.Thread(target=input, daemon=True); t.start(); time.sleep(0.2)', {
      ...EXPLICIT,
      id: 'thread',
    });
    assert.equal((await its.agent.post(`/v1/sessions/${its.session.id}/transaction/rollback`, {})).status, 200);
    const late = await its.agent.post(`/v1/sessions/${its.session.id}/executions/thread/input`, { value: 'v' });
    assert.equal(late.status, 409);
  });

  it('answer every read beside transactions that come and go', async () => {
    await run('x = 1');
    const refused: string[] = [];
    let isOver = false;
    const reading = (async () => {
      while (!isOver) {
        const read = await its.agent.fetch(`/v1/sessions/${its.session.id}/variables/x`);
        if (read.status !== 200) refused.push(`${read.status} ${await read.text()}`);
        else await read.text();
      }
    })();
    for (let n = 0; n < 40; n += 1) await run(n % 4 ? 'x = 1' : 'x = 2; 1/0', ON_SUCCESS);
    isOver = true;
    await reading;
    assert.deepEqual(refused, []);
  });

  for (const pause of [0, 0.2]) {
    it(`warn where the twin was killed ${pause} s after the fork, keep what they change, and answer reads`, async () => {
      await run('x = 1');
      const kill = `import os, time\ntime.sleep(${pause})\nfor c in ${CHILDREN}: os.kill(int(c), 9)`;
      const running = run(`${kill}\nx = 2\nprint("go", flush=True)\ninput()\n1/0`, { ...ON_SUCCESS, id: 'alone' });
      await says('alone', 'go');
      await sleep(100);
      if (pause > 0) assert.equal((await its.agent.fetch(`/v1/sessions/${its.session.id}/variables/x`)).status, 200);
      await its.agent.post(`/v1/sessions/${its.session.id}/executions/alone/input`, { value: '' });
      const { status, transaction, warnings } = await running;
      assert.deepEqual([status, transaction?.outcome], ['error', 'committed']);
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['SNAPSHOT_LOST'],
      );
      assert.equal(await value('x'), '2');
      assert.equal((await state()).stateEpoch, its.session.stateEpoch);
    });
  }

  for (const how of ['timeout', 'interrupt'] as const) {
    it(`end a copy that hangs by ${how === 'timeout' ? 'a timeout' : 'an interrupt'}, and the session goes on`, async () => {
      await run(
        'x = 1\nimport time\nclass A:\n  def __deepcopy__(self, memo):\n    while True: time.sleep(0.01)\na = A()',
      );
      const running = run('x = 2', { ...COPY, ...(how === 'timeout' && { timeoutSeconds: 1 }) });
      await sleep(300);
      if (how === 'interrupt') await its.agent.post(`/v1/sessions/${its.session.id}/interrupt`, {});
      assert.equal((await running).status, how === 'timeout' ? 'timeout' : 'cancelled');
      assert.equal(await value('x'), '1');
      assert.equal((await state()).stateEpoch, its.session.stateEpoch);
    });
  }

  it('give no number twice, though the worker died', async () => {
    const killed = await run('import os; os._exit(1)', ON_FAILURE);
    const next = await run('1');
    assert.deepEqual([killed.executionCount, next.executionCount], [1, 2]);
  });

  for (const waitMs of [0, 40, 80, 120]) {
    it(`are nothing to a restart ${waitMs} ms after the death of the worker, which leaves one worker`, async () => {
      await run(MANY_FILES);
      const launcher = Number(await value('os.getppid()'));
      const children = () =>
        readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ').length;
      const before = children();
      const gone = run('os._exit(1)', ON_FAILURE);
      await until((now) => now.state === 'recovering');
      await sleep(waitMs);
      assert.equal((await its.agent.post(`/v1/sessions/${its.session.id}/restart`, {})).status, 200);
      assert.equal((await gone).status, 'killed');
      assert.equal(await value('"x" in globals()'), 'False');
      const failed = await run('y = 1; 1/0', ON_FAILURE);
      assert.equal(failed.transaction?.outcome, 'rolled_back');
      assert.equal(await value('"y" in globals()'), 'False');
      while (children() > before) await sleep(5);
    });
  }

  it('do not have a delete or a restart wait for a twin that is stopped', async () => {
    const stop = `import os, signal, time\ntime.sleep(0.1)\nfor c in ${CHILDREN}: os.kill(int(c), signal.SIGSTOP)\nprint("go", flush=True)\n1/0`;
    for (const how of ['restart', 'delete'] as const) {
      void its.agent.post(`/v1/sessions/${its.session.id}/executions`, { code: stop, id: how, ...ON_FAILURE }).then(
        () => undefined,
        () => undefined,
      );
      await says(how, 'go');
      await sleep(300);
      const began = performance.now();
      if (how === 'restart') await its.agent.post(`/v1/sessions/${its.session.id}/restart`, {});
      else await its.agent.fetch(`/v1/sessions/${its.session.id}`, { method: 'DELETE' });
      // The deadline of a twin is ten seconds.
      assert.ok(performance.now() - began < 8000);
    }
    its.session = await its.agent.session();
  });
});
