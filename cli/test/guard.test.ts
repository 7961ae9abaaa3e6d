import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { holdLock, runGuarded } from '../src/dev/guard.ts';
import { carrying, until } from './support/processes.ts';

const guard = fileURLToPath(new URL('../python/guard.py', import.meta.url));
const python = 'python3';

describe('a guarded command', () => {
  it('passes its lines on', async () => {
    const lines: string[] = [];
    await runGuarded({
      python,
      command: ['sh', '-c', 'echo one; echo two'],
      signal: new AbortController().signal,
      onLine: (line) => lines.push(line),
    });
    assert.deepEqual(lines, ['one', 'two']);
  });

  it('that fails says so with its status and its last errors', async () => {
    const { signal } = new AbortController();
    const failed = runGuarded({ python, command: ['sh', '-c', 'echo why >&2; exit 7'], signal });
    await assert.rejects(failed, /status 7[\s\S]*why/);
    await assert.rejects(runGuarded({ python, command: ['/does/not/exist'], signal }), /No such file/);
  });

  it('ends when it is aborted', async () => {
    const controller = new AbortController();
    const running = runGuarded({ python, command: ['sleep', '60'], signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(running, { name: 'AbortError' });
  });

  it('leaves no descendant when its stdin ends, in a session of its own or not', async () => {
    const mark = `GUARD_TEST=${process.pid}-${Math.random()}`;
    const [name = '', value = ''] = mark.split('=');
    const script = 'setsid sleep 60 & sh -c "sleep 60 & sleep 60" & wait';
    const child = spawn(python, [guard, 'run', 'sh', '-c', script], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...process.env, [name]: value },
    });
    await until(() => carrying(mark).filter((it) => it.command.startsWith('sleep')).length === 3);
    const exited = once(child, 'exit');
    child.stdin?.end();
    await exited;
    assert.deepEqual(carrying(mark), []);
  });
});

describe('the lock of an environment', () => {
  it('is held by one at a time, and the next one is told that it waits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'replpool-test-'));
    try {
      const { signal } = new AbortController();
      const file = join(folder, 'x.lock');
      const first = await holdLock(python, file, signal, () => assert.fail('nobody else holds it'));
      let waits = 0;
      let isHeld = false;
      const second = holdLock(python, file, signal, () => {
        waits += 1;
      }).then((lock) => {
        isHeld = true;
        return lock;
      });
      await until(() => waits === 1);
      assert.equal(isHeld, false);
      await first[Symbol.asyncDispose]();
      await (await second)[Symbol.asyncDispose]();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
