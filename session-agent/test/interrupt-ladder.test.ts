import assert from 'node:assert/strict';
import type { EventOf, Execution, Session } from '@replpool/protocol';
import { ChannelClient } from './channel-client.ts';
import { RealAgent } from './real-agent.ts';

const GRACE_SECONDS = 1;
/** From the end of the grace to the end of the execution: what reading the stacks may take, and room for a busy machine. */
const AFTER_GRACE_MS = 20_000;

/** Code that never ends by itself. It says `on` right before. */
const HEEDS = {
  'while True: pass': 'print("on", flush=True)\nwhile True: pass',
  'time.sleep': 'import time\nprint("on", flush=True)\ntime.sleep(3600)',
  'a socket that nobody writes to': 'import socket\na, b = socket.socketpair()\nprint("on", flush=True)\na.recv(1)',
  'a lock that nobody releases':
    'import threading\nlock = threading.Lock(); lock.acquire()\nprint("on", flush=True)\nlock.acquire()',
  'a regular expression that backtracks': 'import re\nprint("on", flush=True)\nre.match(r"(a|a)*$", "a" * 64 + "b")',
  'arithmetic on huge integers': 'print("on", flush=True)\npow(3, 10**9, 10**10**6 + 1)',
  'an await': 'import asyncio\nprint("on", flush=True)\nawait asyncio.sleep(3600)',
};

/** Says `on` from beside, when the code that follows is surely under way: between a word of its own and that it could be interrupted. */
const ON_SOON = 'import subprocess; _ = subprocess.Popen(["sh", "-c", "sleep 0.5; echo on"])';

const IGNORES = {
  'except BaseException in a loop': [
    // Within the first `try`: an interrupt right behind a print before it would be the end of the code.
    'import time\non = True\nwhile True:\n    try:\n        if on: on = print("on", flush=True)\n        time.sleep(3600)\n    except BaseException: pass',
    'line 6 in <module>',
  ],
  'a C call that never returns': [
    `import itertools\ndef stuck(): return max(itertools.repeat(1))\n${ON_SOON}\nstuck()`,
    'line 2 in stuck',
  ],
  'a handler that does nothing': [
    'import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint("on", flush=True)\nwhile True: pass',
    'line 4 in <module>',
  ],
} as const;

describe('the interrupt ladder', function () {
  this.timeout(60_000);
  let agent: RealAgent;
  let session: Session;
  let client: ChannelClient;

  before(async () => {
    agent = await RealAgent.start({ sessions: { minIdle: 2, interruptGraceSeconds: GRACE_SECONDS } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await agent.session();
    client = await new ChannelClient(agent, session.id).opened();
  });
  afterEach(async () => {
    client.close();
    await agent.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' });
  });

  const codes = ({ warnings }: Execution) => warnings.map(({ code }) => code);
  const isOn = () => client.wait('stdout', ({ data }) => data === 'on\n');
  const warned = (code: string) => client.wait('warning', (event) => event.code === code);

  for (const [name, code] of Object.entries(HEEDS)) {
    it(`ends ${name} by its first step, and the namespace stays`, async () => {
      await agent.run(session.id, 'kept = 41');
      const { finished } = client.execute('stuck', code);
      await isOn();
      client.send({ type: 'interrupt', execution: 'stuck' });
      const outcome = await finished;
      assert.deepEqual([outcome.status, codes(outcome)], ['interrupted', ['INTERRUPT_SENT']]);
      assert.ok(outcome.error && 'name' in outcome.error);
      assert.equal(outcome.error.name, 'KeyboardInterrupt');
      assert.equal((await agent.run(session.id, 'kept + 1')).result?.data['text/plain'], '42');
    });
  }

  for (const [name, [code, place]] of Object.entries(IGNORES)) {
    it(`kills ${name} once the grace is over, and says where it stood`, async () => {
      const { finished } = client.execute('stuck', code);
      await isOn();
      const asked = performance.now();
      client.send({ type: 'interrupt', execution: 'stuck' });
      const outcome = await finished;
      const took = performance.now() - asked;
      assert.ok(took >= GRACE_SECONDS * 1000 - 50 && took < GRACE_SECONDS * 1000 + AFTER_GRACE_MS, `took ${took} ms`);
      assert.deepEqual(
        [outcome.status, codes(outcome)],
        ['killed', ['INTERRUPT_SENT', 'INTERRUPT_IGNORED', 'INTERRUPT_KILLED']],
      );
      assert.ok(outcome.error && 'reason' in outcome.error);
      assert.equal(outcome.error.reason, 'interrupt');
      const { message } = await warned('INTERRUPT_IGNORED');
      assert.ok(message.includes(place), message);
      assert.doesNotMatch(message, /replpool_worker|asyncio/);
      const { reason, state } = await client.wait('session', (event) => event.reason !== undefined);
      assert.deepEqual([state, reason], ['recovering', 'interrupt']);
      assert.equal((await agent.run(session.id, '1 + 1')).result?.data['text/plain'], '2');
    });
  }

  it('climbs likewise at a deadline: the status is timeout, the warnings say which step did it', async () => {
    const [code] = IGNORES['a C call that never returns'];
    const ignored = await agent.run(session.id, code, { timeoutSeconds: 1 });
    assert.deepEqual(
      [ignored.status, codes(ignored)],
      ['timeout', ['INTERRUPT_SENT', 'INTERRUPT_IGNORED', 'INTERRUPT_KILLED']],
    );
    assert.match(ignored.warnings[0]?.message ?? '', /time limit of 1 s/);
    const heeded = await agent.run(session.id, HEEDS['time.sleep'], { timeoutSeconds: 1 });
    assert.deepEqual([heeded.status, codes(heeded)], ['timeout', ['INTERRUPT_SENT']]);
  });

  it('tells all clients of each step in order, and those who come later', async () => {
    const other = await new ChannelClient(agent, session.id).opened();
    await other.wait('hello');
    const { finished } = client.execute('stuck', IGNORES['a C call that never returns'][0]);
    await isOn();
    client.send({ type: 'interrupt' });
    await finished;
    await other.wait('finished');
    const replay = await agent.fetch(`/v1/sessions/${session.id}/executions/stuck/events`);
    const replayed = (await replay.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    const steps = (messages: readonly { type: string }[]) =>
      messages.filter(({ type }) => type === 'warning').map((event) => (event as EventOf<'warning'>).code);
    for (const seen of [client.messages, other.messages, replayed])
      assert.deepEqual(steps(seen), ['INTERRUPT_SENT', 'INTERRUPT_IGNORED', 'INTERRUPT_KILLED']);
    other.close();
  });

  it('takes a thousand interrupts as one step, and the next execution none of them', async () => {
    const { finished } = client.execute('stuck', HEEDS['while True: pass']);
    const next = client.execute('next', 'sum(range(100_000)); "untouched"');
    await isOn();
    for (let n = 0; n < 1000; n += 1) client.send({ type: 'interrupt', execution: 'stuck' });
    const outcome = await finished;
    assert.deepEqual([outcome.status, codes(outcome)], ['interrupted', ['INTERRUPT_SENT']]);
    const after = await next.finished;
    assert.deepEqual([after.status, after.result?.data['text/plain'], after.warnings], ['ok', "'untouched'", []]);
  });

  it('asks again when it is interrupted again: code that took the first for itself ends by the second', async () => {
    const code =
      'import time\ntry:\n    print("on", flush=True)\n    time.sleep(3600)\nexcept KeyboardInterrupt:\n    print("again", flush=True)\n    time.sleep(3600)';
    const { finished } = client.execute('stuck', code);
    await isOn();
    client.send({ type: 'interrupt' });
    await client.wait('stdout', ({ data }) => data === 'again\n');
    client.send({ type: 'interrupt' });
    const outcome = await finished;
    assert.deepEqual([outcome.status, codes(outcome)], ['interrupted', ['INTERRUPT_SENT']]);
  });

  it('lets code that stops within the grace end in its own way', async () => {
    const code =
      'import time\ntry:\n    print("on", flush=True)\n    time.sleep(3600)\nexcept KeyboardInterrupt:\n    r = "tidied up"\nr';
    const { finished } = client.execute('stuck', code);
    await isOn();
    client.send({ type: 'interrupt' });
    const outcome = await finished;
    assert.deepEqual([outcome.status, outcome.result?.data['text/plain']], ['ok', "'tidied up'"]);
  });

  it('kills without the stacks where the code took them away, and the reason is the interrupt all the same', async () => {
    const code =
      'import faulthandler, os, signal\nfaulthandler.unregister(signal.SIGRTMAX - 2)\n' +
      'signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint("on", flush=True)\nwhile True: pass';
    const { finished } = client.execute('stuck', code);
    await isOn();
    client.send({ type: 'interrupt' });
    const outcome = await finished;
    assert.ok(outcome.error && 'reason' in outcome.error);
    assert.deepEqual([outcome.status, outcome.error.reason], ['killed', 'interrupt']);
    assert.match((await warned('INTERRUPT_IGNORED')).message, /is not known/);
  });

  it('kills a process that is stopped, which tells nothing of itself', async () => {
    const code = `import os, signal\n${ON_SOON}\nos.kill(os.getpid(), signal.SIGSTOP)`;
    const { finished } = client.execute('stuck', code);
    await isOn();
    client.send({ type: 'interrupt' });
    const outcome = await finished;
    assert.deepEqual(
      [outcome.status, codes(outcome)],
      ['killed', ['INTERRUPT_SENT', 'INTERRUPT_IGNORED', 'INTERRUPT_KILLED']],
    );
  });
});
