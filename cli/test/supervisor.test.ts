import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { failuresAfter, restartDelayMs } from '../src/dev/restart-delay.ts';
import { Supervisor } from '../src/dev/supervisor.ts';
import { isAlive, until } from './support/processes.ts';

const fake = fileURLToPath(new URL('./fakes/fake-child.mjs', import.meta.url));

function supervised(env: Record<string, string>, graceMs = 2_000) {
  const seen = { lines: [] as string[], deaths: [] as string[] };
  const supervisor = new Supervisor({
    start: (generation) => ({
      command: process.execPath,
      args: [fake],
      env: { ...process.env, FAKE_LABEL: `start ${generation}`, ...env },
    }),
    watcher: {
      line: (line) => seen.lines.push(line),
      log: () => undefined,
      died: (reason) => seen.deaths.push(reason),
    },
    graceMs,
    delay: () => 20,
  });
  return { supervisor, seen };
}

describe('the supervisor', () => {
  it('starts a killed process again at once, with a new start of its own', async () => {
    const { supervisor, seen } = supervised({});
    await using _scope = supervisor;
    supervisor.start();
    await until(() => seen.lines.length === 1);
    const killed = supervisor.pid;
    assert.ok(killed);
    process.kill(killed, 'SIGKILL');
    await until(() => seen.lines.length === 2);
    assert.deepEqual(seen.deaths, ['signal SIGKILL']);
    assert.match(seen.lines[1] ?? '', /start 2/);
    assert.notEqual(supervisor.pid, killed);
  });

  it('goes on starting a process that ends at once', async () => {
    const { supervisor, seen } = supervised({ FAKE_EXIT: '7' });
    await using _scope = supervisor;
    supervisor.start();
    await until(() => seen.deaths.length >= 3);
    assert.equal(seen.deaths[0], 'exit status 7');
  });

  it('passes lines to the process', async () => {
    const { supervisor, seen } = supervised({});
    await using _scope = supervisor;
    supervisor.start();
    await until(() => seen.lines.length === 1);
    supervisor.send('hello');
    await until(() => seen.lines.includes('heard hello'));
  });

  it('ends the process by closing its stdin, and starts it no more', async () => {
    const { supervisor, seen } = supervised({});
    supervisor.start();
    await until(() => seen.lines.length === 1);
    const pid = supervisor.pid;
    assert.ok(pid);
    await Promise.all([supervisor[Symbol.asyncDispose](), supervisor[Symbol.asyncDispose]()]);
    assert.equal(isAlive(pid), false);
    assert.deepEqual(seen.deaths, []);
  });

  it('kills a process that does not end by itself', async () => {
    const { supervisor, seen } = supervised({ FAKE_STUBBORN: '1' }, 100);
    supervisor.start();
    await until(() => seen.lines.length === 1);
    const pid = supervisor.pid;
    assert.ok(pid);
    await supervisor[Symbol.asyncDispose]();
    assert.equal(isAlive(pid), false);
  });

  it('reports a command that does not exist', async () => {
    const deaths: string[] = [];
    await using supervisor = new Supervisor({
      start: () => ({ command: '/does/not/exist', args: [], env: {} }),
      watcher: { line: () => undefined, log: () => undefined, died: (reason) => deaths.push(reason) },
      delay: () => 10_000,
    });
    supervisor.start();
    await until(() => deaths.length === 1);
    assert.match(deaths[0] ?? '', /ENOENT/);
  });

  it('waits longer after each failure in a row, up to a limit, and forgets them after a sound life', () => {
    assert.deepEqual([1, 2, 3, 7, 50].map(restartDelayMs), [100, 200, 400, 5_000, 5_000]);
    assert.equal(failuresAfter(4, 1_000), 5);
    assert.equal(failuresAfter(4, 60_000), 1);
  });
});
