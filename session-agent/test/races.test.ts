import assert from 'node:assert/strict';
import { AgentProcess } from './agent-process.ts';
import { ChannelClient } from './channel-client.ts';
import { RealAgent } from './real-agent.ts';

describe('races', function () {
  this.timeout(300_000);

  it('1,000 runs of child processes under CPU load deliver every byte before their `finished`', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 2 } });
    try {
      const { id } = await agent.session();
      const load = await agent.session();
      const runner = await new ChannelClient(agent, id, { keep: false }).opened();
      void agent.post(`/v1/sessions/${load.id}/executions?wait=false`, {
        code: 'while True: pass',
        timeoutSeconds: 3600,
      });
      await runner.execute('import', 'import subprocess').finished;
      for (let n = 0; n < 1000; n += 1) {
        const code = `c = subprocess.run(["/bin/sh", "-c", "echo out${n}; echo err${n} >&2"])`;
        const outcome = await runner.execute(`run-${n}`, code).finished;
        assert.deepEqual([outcome.stdout, outcome.stderr], [`out${n}\n`, `err${n}\n`]);
      }
      runner.close();
    } finally {
      await agent.close();
    }
  });

  it('10,000 interrupts aimed at the ends of 1 ms executions hit no other execution', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 1 } });
    try {
      const { id } = await agent.session();
      const runner = await new ChannelClient(agent, id, { keep: false }).opened();
      await runner.execute('import', 'import time').finished;
      const spin = 'e = time.perf_counter() + 0.001\nwhile time.perf_counter() < e: pass';
      const seen = new Map<string, number>();
      for (let n = 0; n < 10_000; n += 1) {
        const target = runner.execute(`target-${n}`, spin);
        const bystander = runner.execute(`bystander-${n}`, 'sum(range(2000))');
        await target.started;
        // From the middle of the target until after its end.
        const aim = performance.now() + (n % 16) / 10;
        while (performance.now() < aim) await new Promise((resolve) => setImmediate(resolve));
        runner.send({ type: 'interrupt', execution: `target-${n}` });
        const { status } = await target.finished;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        assert.equal((await bystander.finished).status, 'ok', `bystander ${n}`);
      }
      assert.deepEqual([...seen.keys()].toSorted(), ['interrupted', 'ok'], 'the aim must be on both sides of the end');
      runner.close();
    } finally {
      await agent.close();
    }
  });

  it('after 20,000 executions the agent has grown by less than 50 MB, and the first id still runs nothing twice', async () => {
    await using agent = await AgentProcess.start({ sessions: { minIdle: 0 } });
    const session = await agent.session();
    const runner = await new ChannelClient(agent, session.id, { keep: false }).opened();
    const code = 'n = globals().get("n", 0) + 1; n';
    // The ring of 8 MiB and the JIT are filled first: they are not growth.
    let before = 0;
    for (let n = 1; n <= 24_000; n += 1) {
      await runner.execute(`run-${n}`, code).finished;
      if (n === 4_000) before = agent.residentBytes;
    }
    const grown = agent.residentBytes - before;
    assert.ok(grown < 50_000_000, `grown by ${grown} bytes`);
    runner.close();
    assert.equal((await agent.run(session.id, code, { id: 'run-1' })).status, 'ok');
    assert.equal((await agent.run(session.id, 'n')).result?.data['text/plain'], '24000');
  });
});
