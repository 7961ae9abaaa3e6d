import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Execution,
  type ExecutionList,
  type Problem,
  SESSION_HEADER,
  type Session,
  type SessionEvent,
} from '@replpool/protocol';
import { RealAgent } from './real-agent.ts';

async function problem(response: Response): Promise<Problem> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  return (await response.json()) as Problem;
}

describe('an agent with real workers', () => {
  let agent: RealAgent;
  let session: Session;

  before(async function () {
    this.timeout(120_000);
    agent = await RealAgent.start({ sessions: { minIdle: 2, interruptGraceSeconds: 1, queueLength: 3, maxPerPod: 8 } });
  });
  after(() => agent.close());
  beforeEach(async () => {
    session = await agent.session();
  });
  afterEach(() => agent.fetch(`/v1/sessions/${session.id}`, { method: 'DELETE' }));

  it('keeps the namespace between executions, classes and their instances included', async () => {
    await agent.run(session.id, 'class Point:\n    def __init__(self, x): self.x = x\np = Point(41)');
    const outcome = await agent.run(session.id, 'Point(p.x + 1).x');
    assert.equal(outcome.result?.data['text/plain'], '42');
    assert.equal(outcome.executionCount, 2);
  });

  it('delivers what child processes and C code wrote before `finished`', async () => {
    const outcome = await agent.run(
      session.id,
      'import os, subprocess\nos.write(1, b"c\\n")\nsubprocess.run(["echo", "child"])',
    );
    assert.equal(outcome.stdout, 'c\nchild\n');
  });

  it('answers input() over HTTP, twice in a row and in a function', async () => {
    const seen: string[] = [];
    const code = 'def ask(): return input("name? ")\nask() + input("again? ")';
    for await (const event of agent.events(session.id, { code, id: 'asks' })) {
      if (event.type === 'input_request') {
        seen.push(event.prompt);
        const answer = await agent.post(`/v1/sessions/${session.id}/executions/asks/input`, { value: 'bo' });
        assert.equal(answer.status, 204);
      }
      if (event.type === 'finished') assert.equal(event.outcome.result?.data['text/plain'], "'bobo'");
    }
    assert.deepEqual(seen, ['name? ', 'again? ']);
  });

  it('answers input() from `stdin` and ends it there', async () => {
    const outcome = await agent.run(session.id, 'print(input())\ninput()', { stdin: 'one\n' });
    assert.equal(outcome.stdout, 'one\n');
    assert.ok(outcome.error && 'name' in outcome.error);
    assert.equal(outcome.error.name, 'EOFError');
  });

  it('refuses an answer where no input() waits', async () => {
    await agent.run(session.id, '1', { id: 'quiet' });
    const response = await agent.post(`/v1/sessions/${session.id}/executions/quiet/input`, { value: 'x' });
    assert.equal((await problem(response)).code, 'NO_INPUT_PENDING');
  });

  it('numbers events without holes and replays them from a position', async () => {
    const live: SessionEvent[] = [];
    for await (const event of agent.events(session.id, { code: 'print(1); print(2)', id: 'twice' })) live.push(event);
    const seqs = live.map((event) => event.seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => (seqs[0] ?? 0) + index),
    );
    const replay = await agent.fetch(`/v1/sessions/${session.id}/executions/twice/events?from=${seqs[0]}`);
    const lines = (await replay.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as SessionEvent);
    assert.deepEqual(lines, live.slice(1));
  });

  it('streams server-sent events with their numbers as ids', async () => {
    const response = await agent.post(
      `/v1/sessions/${session.id}/executions`,
      { code: 'print(1)' },
      { accept: 'text/event-stream' },
    );
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.match(await response.text(), /^id: \d+\nevent: queued\ndata: \{.*\}\n\n[\s\S]*event: finished\n/);
  });

  it('gives the same id the same answer and never a second run', async () => {
    const first = await agent.run(session.id, 'n = globals().get("n", 0) + 1; n', { id: 'once' });
    const again = await agent.run(session.id, 'n = globals().get("n", 0) + 1; n', { id: 'once' });
    assert.deepEqual(again, first);
    const other = await agent.post(`/v1/sessions/${session.id}/executions`, { code: 'other', id: 'once' });
    assert.equal((await problem(other)).code, 'EXECUTION_ID_REUSED');
    assert.equal((await agent.run(session.id, 'n')).result?.data['text/plain'], '1');
  });

  it('lists the history page by page, the oldest first', async () => {
    for (let n = 1; n <= 5; n += 1) await agent.run(session.id, String(n), { id: `run-${n}` });
    const ids: string[] = [];
    let next: string | undefined;
    do {
      const query = next === undefined ? 'limit=2' : `limit=2&continue=${next}`;
      const page = await agent.fetch(`/v1/sessions/${session.id}/executions?${query}`);
      const { items, continue: token } = (await page.json()) as ExecutionList;
      ids.push(...items.map(({ id }) => id));
      next = token;
    } while (next !== undefined);
    assert.deepEqual(ids, ['run-1', 'run-2', 'run-3', 'run-4', 'run-5']);
    const wrong = await agent.fetch(`/v1/sessions/${session.id}/executions?limit=0`);
    assert.equal((await problem(wrong)).details?.field, 'limit');
  });

  it('interrupts what runs and goes on with the same namespace', async () => {
    await agent.run(session.id, 'kept = 1');
    const running = agent.run(session.id, 'print("on", flush=True)\nwhile True: pass', { id: 'loop' });
    for (;;) {
      const now = (await (await agent.fetch(`/v1/sessions/${session.id}/executions/loop`)).json()) as Execution;
      if (now.stdout === 'on\n') break;
    }
    await agent.post(`/v1/sessions/${session.id}/interrupt`, {});
    assert.equal((await running).status, 'interrupted');
    assert.equal((await agent.run(session.id, 'kept')).result?.data['text/plain'], '1');
  });

  it('ends an execution at its deadline with status timeout', async () => {
    const outcome = await agent.run(session.id, 'import time; time.sleep(60)', { timeoutSeconds: 1 });
    assert.equal(outcome.status, 'timeout');
  });

  it('kills code that ignores interrupts, and recovers the session', async () => {
    const code = 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass';
    const outcome = await agent.run(session.id, code, { timeoutSeconds: 1 });
    assert.equal(outcome.status, 'timeout');
    assert.ok(outcome.error && 'code' in outcome.error);
    assert.equal((await agent.run(session.id, '1 + 1')).result?.data['text/plain'], '2');
  });

  it('names why a worker died, says what was lost, and raises the state epoch', async () => {
    await agent.run(session.id, 'precious = 1');
    const neighbour = await agent.session();
    const outcome = await agent.run(session.id, 'import os; os.kill(os.getpid(), 9)');
    assert.equal(outcome.status, 'killed');
    assert.ok(outcome.error && 'reason' in outcome.error);
    assert.equal(outcome.error.reason, 'signal');
    assert.equal((await agent.run(session.id, '1')).status, 'ok');
    const now = (await (await agent.fetch(`/v1/sessions/${session.id}`)).json()) as Session;
    assert.equal(now.stateEpoch, 2);
    const stale = await agent.post(`/v1/sessions/${session.id}/executions`, { code: '1', stateEpoch: 1 });
    assert.equal((await problem(stale)).code, 'EPOCH_CHANGED');
    assert.equal((await agent.run(neighbour.id, '2')).result?.data['text/plain'], '2');
    await agent.fetch(`/v1/sessions/${neighbour.id}`, { method: 'DELETE' });
  });

  it('restarts into an empty namespace under the same id', async () => {
    await agent.run(session.id, 'x = 1');
    const response = await agent.post(`/v1/sessions/${session.id}/restart`, {});
    assert.equal(((await response.json()) as Session).stateEpoch, 2);
    assert.equal((await agent.run(session.id, 'x')).status, 'error');
  });

  it('queues in order, cancels what is queued, and refuses more than the queue holds', async () => {
    const path = `/v1/sessions/${session.id}/executions`;
    const blocker = agent.run(session.id, 'input()', { id: 'blocker' });
    for (const id of ['q1', 'q2', 'q3']) await agent.post(`${path}?wait=false`, { code: `order = "${id}"; order`, id });
    assert.equal((await problem(await agent.post(`${path}?wait=false`, { code: '1' }))).code, 'QUEUE_FULL');
    const cancelled = (await (await agent.fetch(`${path}/q2`, { method: 'DELETE' })).json()) as Execution;
    assert.equal(cancelled.status, 'cancelled');
    while ((await agent.post(`${path}/blocker/input`, { value: '' })).status !== 204) await sleep(10);
    await blocker;
    assert.equal((await agent.run(session.id, 'order')).result?.data['text/plain'], "'q3'");
  });

  it('keeps files inside the working folder, links of the code included', async () => {
    const files = `/v1/sessions/${session.id}/files`;
    assert.equal((await agent.fetch(`${files}/a/b.txt`, { method: 'PUT', body: 'hello' })).status, 201);
    assert.equal((await agent.run(session.id, 'open("a/b.txt").read()')).result?.data['text/plain'], "'hello'");
    await agent.run(session.id, 'import os; os.symlink("/etc", "etc"); os.symlink("/etc/passwd", "passwd")');
    assert.equal((await agent.fetch(`${files}/etc/passwd`)).status, 404);
    assert.equal((await agent.fetch(`${files}/passwd`)).status, 404);
    assert.equal((await agent.fetch(`${files}/etc/replpool-test`, { method: 'PUT', body: 'x' })).status, 404);
    assert.equal(existsSync('/etc/replpool-test'), false);
    assert.equal((await agent.fetch(`${files}/..%2f..%2fsecret`)).status, 400);
    assert.equal((await agent.fetch(`${files}/a/b.txt`, { method: 'DELETE' })).status, 204);
  });

  it('removes the folder and the processes of a deleted session', async () => {
    const gone = await agent.session();
    await agent.run(gone.id, 'import subprocess; c = subprocess.Popen(["sleep", "1000"], start_new_session=True)');
    const pid = Number((await agent.run(gone.id, 'c.pid')).result?.data['text/plain']);
    assert.equal((await agent.fetch(`/v1/sessions/${gone.id}`, { method: 'DELETE' })).status, 204);
    assert.equal((await agent.fetch(`/v1/sessions/${gone.id}`)).status, 404);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.equal(existsSync(join(agent.runDirectory, 'sessions', gone.id)), false);
  });

  it('refuses what it does not know and names the field', async () => {
    const cases: [unknown, string][] = [
      [{ foo: 1 }, 'foo'],
      [{ keepSnapshots: -1 }, 'keepSnapshots'],
      [{ limits: { memory: '8Gi' } }, 'limits.memory'],
      [{ template: 'none' }, 'template'],
      [{ id: 'not-a-uuid' }, 'id'],
    ];
    for (const [body, field] of cases) {
      const answer = await problem(await agent.post('/v1/sessions', body));
      assert.equal(answer.code, 'INVALID_REQUEST');
      assert.equal(answer.details?.field, field);
    }
    const path = `/v1/sessions/${session.id}/executions`;
    const invalid = await agent.fetch(path, { method: 'POST', body: Buffer.from([0x22, 0xff, 0x22]) });
    assert.equal((await problem(invalid)).details?.field, 'body');
    assert.equal((await problem(await agent.fetch(path, { method: 'POST', body: '{' }))).code, 'INVALID_REQUEST');
    const text = await agent.fetch(path, { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } });
    assert.equal((await problem(text)).code, 'UNSUPPORTED_MEDIA_TYPE');
    const large = await agent.post(path, { code: 'x'.repeat(17 * 1024 * 1024) });
    assert.equal((await problem(large)).code, 'PAYLOAD_TOO_LARGE');
    assert.equal((await agent.run(session.id, '1')).status, 'ok');
  });

  it('ends NUL bytes, lone surrogates and wrong syntax with an error of the execution', async () => {
    for (const code of ['x = "\0"', 'x = "\ud800"; print(x', 'def f(:']) {
      assert.equal((await agent.run(session.id, code)).status, 'error');
    }
  });

  it('makes one session of an id however often it is sent, and none for somebody else', async () => {
    const id = crypto.randomUUID();
    const answers = await Promise.all([1, 2, 3].map(() => agent.post('/v1/sessions', { id })));
    assert.deepEqual(answers.map((answer) => answer.status).toSorted(), [200, 200, 201]);
    const stranger = await agent.post('/v1/sessions', { id }, { 'replpool-owner': 'somebody' });
    assert.equal((await problem(stranger)).code, 'FORBIDDEN');
    await agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' });
  });

  it('answers 429 when every slot is taken', async () => {
    const made = await Promise.all(Array.from({ length: 7 }, () => agent.session()));
    const full = await agent.post('/v1/sessions', {});
    assert.equal((await problem(full)).code, 'POOL_EXHAUSTED');
    assert.ok(full.headers.get('retry-after'));
    await Promise.all(made.map(({ id }) => agent.fetch(`/v1/sessions/${id}`, { method: 'DELETE' })));
  });

  it('cuts output at its limit with a warning, and counts the rest', async () => {
    const small = await agent.session({ limits: { outputBytes: 1000 } });
    const outcome = await agent.run(small.id, 'print("y" * 5000)');
    assert.deepEqual(
      outcome.warnings.map((warning) => warning.code),
      ['OUTPUT_TRUNCATED'],
    );
    await agent.fetch(`/v1/sessions/${small.id}`, { method: 'DELETE' });
  });

  it('closes idle sessions, which then answer 410', async () => {
    const short = await agent.session({ idleTimeoutSeconds: 1 });
    let answer = await agent.fetch(`/v1/sessions/${short.id}`);
    while (answer.status === 200) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      answer = await agent.fetch(`/v1/sessions/${short.id}`);
    }
    assert.equal(answer.status, 410);
    assert.equal((await problem(answer)).details?.reason, 'expired');
  });

  it('runs one-shot code and leaves no session behind', async () => {
    const outcome = (await (await agent.post('/v1/run', { code: 'input() * 2', stdin: 'ab' })).json()) as Execution;
    assert.equal(outcome.result?.data['text/plain'], "'abab'");
    const list = (await (await agent.fetch('/v1/sessions')).json()) as { items: Session[] };
    assert.deepEqual(
      list.items.map(({ id }) => id),
      [session.id],
    );
  });

  it('runs one-shot code in a session of the id that the router names', async () => {
    const id = '00000000-0000-4000-8000-00000000000e';
    const run = async (named: string) => await agent.post('/v1/run', { code: '1' }, { [SESSION_HEADER]: named });
    assert.equal(((await (await run(id)).json()) as Execution).session, id);
    assert.equal((await run('nonsense')).status, 400);
  });

  it('completes, inspects and lists the live namespace', async () => {
    await agent.run(session.id, 'answer = 42');
    const completion = await agent.post(`/v1/sessions/${session.id}/complete`, { code: 'answ', cursor: 4 });
    assert.deepEqual(await completion.json(), { matches: ['answer'], cursorStart: 0, cursorEnd: 4 });
    const variables = (await (await agent.fetch(`/v1/sessions/${session.id}/variables`)).json()) as {
      items: { name: string }[];
    };
    assert.deepEqual(
      variables.items.map(({ name }) => name),
      ['answer'],
    );
    const missing = await agent.fetch(`/v1/sessions/${session.id}/variables/nothing`);
    assert.equal((await problem(missing)).code, 'VARIABLE_NOT_FOUND');
  });

  it('refuses who does not know its token', async () => {
    const response = await fetch(`${agent.url}/v1/sessions`);
    assert.equal((await problem(response)).code, 'UNAUTHENTICATED');
  });
});
