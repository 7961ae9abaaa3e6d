import assert from 'node:assert/strict';
import { EarlyOutput } from '../src/session/early-output.ts';
import { RealAgent } from './real-agent.ts';

describe('output that is read before the execution is known to have started', () => {
  const turn = () => new Promise(setImmediate);

  it('waits for it, and keeps its order', async () => {
    const passed: string[] = [];
    const early = new EarlyOutput((stream, text) => passed.push(`${stream} ${text}`));
    early.hold('stdout', 'a');
    await turn();
    early.hold('stderr', 'b');
    assert.deepEqual(passed, []);
    early.release();
    assert.deepEqual(passed, ['stdout a', 'stderr b']);
  });

  it('does not wait longer than until the end of the next turn, each time anew', async () => {
    const passed: string[] = [];
    const early = new EarlyOutput((_stream, text) => passed.push(text));
    for (const text of ['a', 'b']) {
      early.hold('stdout', text);
      await turn();
      assert.deepEqual(passed.includes(text), false);
      await turn();
      await turn();
      assert.deepEqual(passed.includes(text), true);
    }
  });

  it('is that of its execution, in thousands of short ones', async function () {
    this.timeout(120_000);
    const agent = await RealAgent.start({ sessions: { minIdle: 1 } });
    try {
      const { id } = await agent.session();
      for (let round = 0; round < 80; round += 1) {
        const code = `print("out ${round}")`;
        const outcomes = await Promise.all(Array.from({ length: 25 }, () => agent.run(id, code)));
        for (const { stdout } of outcomes) assert.equal(stdout, `out ${round}\n`);
      }
    } finally {
      await agent.close();
    }
  });
});
