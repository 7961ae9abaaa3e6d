import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApiServer } from '../../kube/test/fake-api-server.ts';
import { operatorNodeOptions } from '../src/index.ts';

const main = join(import.meta.dirname, '../src/main.ts');

describe('the operator as a process', () => {
  it('ends with status 0 on SIGTERM, though its parent holds its stdin open', async () => {
    await using server = await FakeApiServer.start();
    const folder = await mkdtemp(join(tmpdir(), 'operator-main-'));
    try {
      await writeFile(join(folder, 'kubeconfig'), server.config.exportConfig());
      const child = spawn(process.execPath, ['--conditions=source', main, '--pod', 'op-1'], {
        stdio: ['pipe', 'ignore', 'ignore'],
        env: { ...process.env, KUBECONFIG: join(folder, 'kubeconfig') },
      });
      const ended = once(child, 'exit');
      const config = { namespace: 'ns', release: 'r', agentImage: 'a:1', health: { host: '127.0.0.1', port: 0 } };
      child.stdin.write(`${JSON.stringify(config)}\n`);
      // It asks for the Lease once it runs.
      while (server.requests.length === 0 && child.exitCode === null) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [0, null]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has in its image the options whose memory is measured', async () => {
    const dockerfile = await readFile(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
    const start = ['node', ...operatorNodeOptions, '/opt/replpool/operator/dist/main.js'];
    const json = start.map((word) => JSON.stringify(word)).join(', ');
    assert.ok(dockerfile.includes(`ENTRYPOINT [${json}]`), `no ENTRYPOINT [${json}]`);
  });
});
