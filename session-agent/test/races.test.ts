import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CHANNEL_JSON, type Execution, replPoolSpecSchema, type ServerMessage, type Session } from '@replpool/protocol';
import { WebSocket } from 'ws';
import { agentMain, agentNodeOptions } from '../src/index.ts';
import { python, RealAgent } from './real-agent.ts';

/** Runs code over the channel; outcomes come as promises, so that many can be under way. */
class Runner {
  readonly socket: WebSocket;
  readonly #waiting = new Map<string, { started(): void; finished(outcome: Execution): void }>();

  constructor(url: string, headers: Record<string, string>, session: string) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/v1/sessions/${session}/channel`, [CHANNEL_JSON], {
      headers,
    });
    this.socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as ServerMessage;
      if (message.type === 'started') this.#waiting.get(message.execution)?.started();
      if (message.type !== 'finished') return;
      this.#waiting.get(message.execution)?.finished(message.outcome);
      this.#waiting.delete(message.execution);
    });
  }

  execute(id: string, code: string): { started: Promise<void>; finished: Promise<Execution> } {
    const started = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<Execution>();
    this.#waiting.set(id, { started: started.resolve, finished: finished.resolve });
    this.socket.send(JSON.stringify({ type: 'execute', id, code }));
    return { started: started.promise, finished: finished.promise };
  }

  interrupt(execution: string): void {
    this.socket.send(JSON.stringify({ type: 'interrupt', execution }));
  }
}

describe('races', function () {
  this.timeout(300_000);

  it('1,000 runs of child processes under CPU load deliver every byte before their `finished`', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 2 } });
    try {
      const { id } = await agent.session();
      const load = await agent.session();
      const runner = new Runner(agent.url, agent.headers, id);
      await once(runner.socket, 'open');
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
      runner.socket.close();
    } finally {
      await agent.close();
    }
  });

  it('10,000 interrupts aimed at the ends of 1 ms executions hit no other execution', async () => {
    const agent = await RealAgent.start({ sessions: { minIdle: 1 } });
    try {
      const { id } = await agent.session();
      const runner = new Runner(agent.url, agent.headers, id);
      await once(runner.socket, 'open');
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
        runner.interrupt(`target-${n}`);
        const { status } = await target.finished;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        assert.equal((await bystander.finished).status, 'ok', `bystander ${n}`);
      }
      assert.deepEqual([...seen.keys()].toSorted(), ['interrupted', 'ok'], 'the aim must be on both sides of the end');
      runner.socket.close();
    } finally {
      await agent.close();
    }
  });

  it('after 20,000 executions the agent has grown by less than 50 MB, and the first id still runs nothing twice', async () => {
    const config = {
      pool: 'default',
      pod: 'default-9',
      listen: { host: '127.0.0.1', port: 0 },
      token: 'races',
      spec: replPoolSpecSchema.parse({ sessions: { minIdle: 0 } }),
      python: python(),
      runDirectory: join(mkdtempSync(join(tmpdir(), 'replpool-')), 'run'),
    };
    const env = { ...process.env, REPLPOOL_AGENT_CONFIG: JSON.stringify(config) };
    const child = spawn(process.execPath, [...agentNodeOptions, '--conditions=source', agentMain], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    try {
      let port = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const said = JSON.parse(line) as { event: string; port?: number };
        port = said.port ?? port;
        if (said.event === 'ready') break;
      }
      const url = `http://127.0.0.1:${port}`;
      const headers = { authorization: 'Bearer races' };
      const session = (await (await fetch(`${url}/v1/sessions`, { method: 'POST', headers })).json()) as Session;
      const runner = new Runner(url, headers, session.id);
      await once(runner.socket, 'open');
      const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
      const code = 'n = globals().get("n", 0) + 1; n';
      // The ring of 8 MiB and the JIT are filled first: they are not growth.
      let before = 0;
      for (let n = 1; n <= 24_000; n += 1) {
        await runner.execute(`run-${n}`, code).finished;
        if (n === 4_000) before = rss();
      }
      const grown = rss() - before;
      assert.ok(grown < 50_000_000, `grown by ${grown} bytes`);
      runner.socket.close();
      const post = async (body: unknown) => {
        const response = await fetch(`${url}/v1/sessions/${session.id}/executions`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        return (await response.json()) as Execution;
      };
      assert.equal((await post({ id: 'run-1', code })).status, 'ok');
      assert.equal((await post({ code: 'n' })).result?.data['text/plain'], '24000');
    } finally {
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
    }
  });
});
