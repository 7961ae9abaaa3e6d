import assert from 'node:assert/strict';
import { sessionSchema } from '@replpool/protocol';
import { TOKEN } from './agent-client.ts';
import { javascriptLauncher } from './conformance/languages.ts';
import { RealAgent } from './real-agent.ts';

/** An agent knows no language: it gives the whole of a session by a worker that is not in Python. */
describe('an agent whose workers are in JavaScript', function () {
  this.timeout(120_000);
  let agent: RealAgent;
  let session: string;
  before(async () => {
    const known = { pool: 'default', token: TOKEN, launcher: javascriptLauncher };
    agent = await RealAgent.start(
      {
        runtime: { preload: ['path'], warmupCode: 'answer = 41' },
        sessions: { minIdle: 1, interruptGraceSeconds: 5 },
      },
      known,
    );
  });
  after(async () => {
    await agent?.close();
  });
  beforeEach(async () => {
    session = (await agent.session({ env: { GREETING: 'hello' } })).id;
  });
  afterEach(async () => {
    assert.equal((await agent.fetch(`/v1/sessions/${session}`, { method: 'DELETE' })).status, 204);
  });

  it('runs code in a namespace that stays, warmed by its template', async () => {
    const first = await agent.run(session, 'console.log("out"); console.error("err"); answer += 1');
    assert.deepEqual(
      [first.status, first.result?.data, first.stdout, first.stderr, first.variables.changed],
      ['ok', { 'text/plain': '42' }, 'out\n', 'err\n', ['answer']],
    );
    assert.equal((await agent.run(session, 'answer')).result?.data['text/plain'], '42');
    const greeting = await agent.run(session, 'require("node:process").env.GREETING');
    assert.equal(greeting.result?.data['text/plain'], "'hello'");
  });

  it('has all output before the end, in order', async () => {
    const { stdout, status } = await agent.run(session, 'for (let i = 0; i < 20000; i += 1) console.log(i)');
    assert.equal(status, 'ok');
    assert.equal(stdout, Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(''));
  });

  it('tells errors of the code, and interrupts it', async () => {
    const failed = await agent.run(session, 'null.x');
    assert.equal(failed.status === 'error' && failed.error && 'name' in failed.error && failed.error.name, 'TypeError');
    for await (const event of agent.events(session, { id: 'loop', code: 'for (;;);' })) {
      if (event.type === 'started') await agent.post(`/v1/sessions/${session}/interrupt`, {});
      if (event.type === 'finished') assert.equal(event.status, 'interrupted');
    }
    assert.equal((await agent.run(session, 'answer')).result?.data['text/plain'], '41');
  });

  it('asks the client for input', async () => {
    for await (const event of agent.events(session, { id: 'ask', code: 'input("who? ") + "!"' })) {
      if (event.type === 'input_request') {
        assert.equal(event.prompt, 'who? ');
        await agent.post(`/v1/sessions/${session}/executions/ask/input`, { value: 'me' });
      }
      if (event.type === 'result') assert.equal(event.data['text/plain'], "'me!'");
      if (event.type === 'finished') assert.equal(event.status, 'ok');
    }
    const fed = await agent.run(session, 'input()', { stdin: 'line\n' });
    assert.equal(fed.result?.data['text/plain'], "'line'");
  });

  it('shows variables, completions and documentation', async () => {
    await agent.run(session, 'total = 7; undefined');
    const listed = (await (await agent.fetch(`/v1/sessions/${session}/variables`)).json()) as {
      items: { name: string }[];
    };
    assert.deepEqual(listed.items.map(({ name }) => name).sort(), ['answer', 'total']);
    const completed = await agent.post(`/v1/sessions/${session}/complete`, { code: 'tota', cursor: 4 });
    assert.deepEqual(await completed.json(), { matches: ['total'], cursorStart: 0, cursorEnd: 4 });
    assert.equal((await agent.fetch(`/v1/sessions/${session}/variables/none`)).status, 404);
  });

  it('comes back with a namespace of its own when the worker has died', async () => {
    await agent.run(session, 'answer = 1');
    const died = await agent.run(
      session,
      'require("node:process").kill(require("node:process").pid, "SIGKILL"); sleep(60)',
    );
    assert.equal(died.status, 'killed');
    assert.deepEqual(died.error && 'reason' in died.error && died.error.reason, 'signal');
    assert.equal((await agent.run(session, 'answer')).result?.data['text/plain'], '41');
    const restarted = await agent.post(`/v1/sessions/${session}/restart`, {});
    assert.ok(sessionSchema.parse(await restarted.json()).stateEpoch > 1);
  });
});
