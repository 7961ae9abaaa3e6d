import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  ACQUIRE_BOUNDS_MS,
  agentLinkSchema,
  INTERNAL_STREAM_PATH,
  parse,
  replPoolSpecSchema,
  startFailureSchema,
} from '@replpool/protocol';
import { agentMain } from '../src/index.ts';
import { RecentAcquisitions } from '../src/recent-acquisitions.ts';
import { TOKEN } from './agent-client.ts';
import { python } from './python.ts';
import { RealAgent } from './real-agent.ts';

const none = { isolation: { level: 'None', cgroups: 'None' } } as const;

/** The first line of an agent's stream. */
async function snapshotOf(agent: RealAgent) {
  const cut = new AbortController();
  const response = await agent.fetch(INTERNAL_STREAM_PATH, { signal: cut.signal });
  let held = '';
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    held += Buffer.from(chunk).toString('utf8');
    if (held.includes('\n')) break;
  }
  cut.abort();
  const message = parse(agentLinkSchema, JSON.parse(held.split('\n')[0] ?? ''), 'line');
  assert.ok(message.type === 'snapshot');
  return message;
}

describe('what an agent tells of itself', function () {
  this.timeout(60_000);

  it('is which template does not warm, and why, while the others serve', async () => {
    const templates = [{ name: 'wrong', preload: ['no_such_module_of_ours'] }];
    const agent = await RealAgent.start({ ...none, templates }, undefined, { mayFail: true });
    try {
      const { failures } = await snapshotOf(agent);
      assert.deepEqual(failures, [
        { template: 'wrong', message: "ModuleNotFoundError: No module named 'no_such_module_of_ours'" },
      ]);
    } finally {
      await agent.close();
    }
  });

  it('is how its sessions came to be, and what holds them', async () => {
    const agent = await RealAgent.start({ ...none, sessions: { minIdle: 0 } });
    try {
      await agent.session();
      const { acquired, failures, isolation } = await snapshotOf(agent);
      assert.deepEqual([isolation?.effective, isolation?.cgroups], ['None', 'none']);
      assert.ok(isolation?.missing.includes('memory'));
      assert.deepEqual([acquired?.hits, acquired?.misses], [0, 1]);
      assert.equal(
        acquired?.counts.reduce((a, b) => a + b),
        1,
      );
      assert.equal(failures, undefined);
    } finally {
      await agent.close();
    }
  });

  it('forgets what was long ago', () => {
    const recent = new RecentAcquisitions();
    for (let count = 0; count < 500; count += 1) recent.observe(false, 100);
    for (let count = 0; count < 500; count += 1) recent.observe(true, 0.001);
    assert.deepEqual([recent.summary.hits, recent.summary.misses], [500, 500]);
    assert.equal(recent.summary.counts[ACQUIRE_BOUNDS_MS.length], 500);
    recent.observe(true, 0.001);
    assert.deepEqual([recent.summary.hits, recent.summary.misses], [501, 0]);
    assert.equal(recent.summary.counts[0], 501);
  });

  it('is, where it cannot start, a last line that says why, and which field of the pool', async () => {
    const config = {
      ...{ pool: 'default', pod: 'default-0', listen: { host: '127.0.0.1', port: 0 }, token: TOKEN, python: python() },
      spec: replPoolSpecSchema.parse({ isolation: { level: 'Strict', cgroups: 'None' } }),
      runDirectory: join(mkdtempSync(join(tmpdir(), 'replpool-')), 'run'),
    };
    const lastWord = async (told: unknown) => {
      const child = spawn(process.execPath, ['--conditions=source', agentMain], { stdio: ['pipe', 'pipe', 'ignore'] });
      child.stdin.write(`${JSON.stringify(told)}\n`);
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      assert.equal(code, 1);
      return startFailureSchema.parse(JSON.parse(output.trimEnd().split('\n').at(-1) ?? ''));
    };
    assert.equal((await lastWord(config)).field, 'spec.isolation.level');
    assert.match((await lastWord({ ...config, spec: { replicas: -1 } })).message, /replicas/);
  });
});
