import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { routerMain } from '../src/index.ts';
import { FakeAgent } from './fake-agent.ts';

function start(config: object): ChildProcess {
  const child = spawn(process.execPath, ['--conditions=source', routerMain], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.write(`${JSON.stringify(config)}\n`);
  return child;
}

async function portOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error('no stdout');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const said = JSON.parse(line);
  assert.equal(said.event, 'listening');
  return said.port;
}

const config = { listen: { host: '127.0.0.1', port: 0 }, auth: { mode: 'none' }, agents: [] };

describe('the router as a process', () => {
  it('says where it listens, takes agents on stdin, and ends with its stdin', async () => {
    await using agent = await new FakeAgent('data-1').start();
    const child = start(config);
    try {
      const url = `http://127.0.0.1:${await portOf(child)}/readyz`;
      assert.equal((await fetch(url)).status, 503);
      child.stdin?.write(`not a line for it\n${JSON.stringify({ agents: [agent.endpoint] })}\n`);
      while ((await fetch(url)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
      child.stdin?.end();
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('does not start with a configuration that is wrong', async () => {
    const child = start({ ...config, listen: { host: '0.0.0.0', port: 0 } });
    const [code] = await once(child, 'exit');
    assert.equal(code, 1);
  });
});
