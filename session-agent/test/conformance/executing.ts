import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Language } from './languages.ts';
import { WorkerPeer } from './worker-peer.ts';

/** Opening a session, running code in it, what comes of it and in which order. */
export function executingCases(language: Language): void {
  let peer: WorkerPeer;
  before(async () => {
    peer = await WorkerPeer.start(language);
  });
  after(async () => {
    await peer?.[Symbol.asyncDispose]();
  });

  it('opens a session: its folder, its variables, its limit of open files', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'replpool-')));
    await using opened = await WorkerPeer.start(language);
    const { text } = await opened.run(language.environment('HOME'));
    assert.notEqual(text, language.quoted('unset'));
    opened.send({ type: 'open', session: 's', cwd: folder, env: { GREETING: 'ä b', HOME: null }, fileDescriptors: 77 });
    assert.deepEqual(pick(await opened.expect('opened'), 'session', 'error'), { session: 's' });
    assert.equal((await opened.run(language.folder)).text, language.quoted(folder));
    assert.equal((await opened.run(language.environment('GREETING'))).text, language.quoted('ä b'));
    assert.equal((await opened.run(language.environment('HOME'))).text, language.quoted('unset'));
    assert.equal((await opened.run(language.fileLimit)).text, '77');
    rmdirSync(folder);
  });

  it('says why a session cannot be opened', async () => {
    await using opened = await WorkerPeer.start(language);
    opened.send({ type: 'open', session: 's', cwd: '/nowhere/at/all', env: {}, fileDescriptors: 0 });
    const { error } = await opened.expect('opened');
    assert.match(error?.message ?? '', /nowhere/);
    assert.equal((await opened.run(language.sum)).text, '2');
  });

  it('tells of an execution in order: started, output, result, finished', async () => {
    const run = await peer.run(`${language.print('a')}\n${language.printError('b')}\n${language.sum}`);
    assert.deepEqual(run.types(), ['started', 'result', 'finished']);
    assert.deepEqual([run.stdout, run.stderr, run.text], ['a\n', 'b\n', '2']);
    const { usage, executionCount, variables } = run.one('finished');
    assert.ok(usage.maxRssBytes > 1_000_000, `${usage.maxRssBytes} bytes`);
    assert.ok(executionCount > 0);
    assert.deepEqual([variables.changed, variables.deleted], [[], []]);
  });

  it('has no output before started', async () => {
    for (let i = 0; i < 100; i += 1) {
      const run = await peer.run(language.print('at once'));
      assert.deepEqual([run.early, run.stdout], ['', 'at once\n'], `round ${i}`);
    }
  });

  it('has all output before finished, however much', async () => {
    const line = 'x'.repeat(99);
    const run = await peer.run(Array(20_000).fill(language.print(line)).join('\n'));
    assert.deepEqual([run.stdout.length, run.status], [2_000_000, 'ok']);
  });

  it('gives back the count that it was told, and shows nothing of what is silent', async () => {
    const run = await peer.run(language.sum, { executionCount: 41 });
    assert.equal(run.one('finished').executionCount, 41);
    assert.deepEqual((await peer.run(language.sum, { silent: true })).types(), ['started', 'finished']);
  });

  it('runs what is queued in the order in which it came', async () => {
    const ids = [1, 2, 3, 4, 5].map((i) => peer.execute(language.print(`${i}`)));
    let output = '';
    for (const id of ids) output += (await peer.finish(id)).stdout;
    assert.equal(output, '1\n2\n3\n4\n5\n');
  });

  it('tells an error of the code, and goes on', async () => {
    const run = await peer.run(language.raise('"so far"'));
    assert.deepEqual(run.types(), ['started', 'error', 'finished']);
    const { error } = run.one('error');
    assert.deepEqual([error.name, error.message, run.status], [language.errorName, 'so far', 'error']);
    assert.match(error.traceback.join(''), /so far/);
    const syntax = await peer.run(language.syntaxError);
    assert.deepEqual([syntax.one('error').error.name, syntax.status], ['SyntaxError', 'error']);
    assert.equal((await peer.run(language.sum)).text, '2');
  });

  it('cuts an error that is longer than a frame, and warns', async () => {
    const run = await peer.run(language.raise(language.text(65 * 1024 * 1024)));
    assert.deepEqual(run.types(), ['started', 'warning', 'error', 'finished']);
    assert.equal(run.one('warning').code, 'OUTPUT_TRUNCATED');
    assert.deepEqual([run.one('error').error.name, run.status], [language.errorName, 'error']);
  });

  it('keeps what is defined, and tells what was added, changed and deleted', async () => {
    const changes = async (code: string) => (await peer.run(code)).one('finished').variables;
    assert.deepEqual(await changes(language.assign), { added: ['v'], changed: [], deleted: [] });
    assert.deepEqual(await changes(language.increment), { added: [], changed: ['v'], deleted: [] });
    assert.equal((await peer.run(language.read)).text, '2');
    assert.deepEqual((await changes(language.remove)).deleted, ['v']);
    assert.equal((await peer.run(language.read)).status, 'error');
  });

  it('shows, updates and clears within its execution', async () => {
    const id = peer.execute(`${language.display}\n${language.updateDisplay}\n${language.clearOutput}`);
    const run = await peer.finish(id);
    assert.deepEqual(run.types().slice(0, 4), ['started', 'display', 'update_display', 'clear_output']);
    for (const type of ['display', 'update_display'] as const) {
      const { data, transient, execution } = run.one(type);
      assert.deepEqual(data, { 'image/png': Buffer.from([0, 255]).toString('base64') });
      assert.deepEqual([transient, execution], [{ display_id: 'one' }, id]);
    }
    assert.deepEqual(pick(run.one('clear_output'), 'execution', 'wait'), { execution: id, wait: true });
  });

  it('names no execution in what comes behind its finished', async () => {
    assert.equal((await peer.run(language.displayLater)).status, 'ok');
    const late = await peer.expect('display');
    assert.deepEqual([late.data, late.execution], [{ 'text/plain': '5' }, undefined]);
  });
}

function pick(from: object, ...fields: string[]): object {
  return Object.fromEntries(
    Object.entries(from).filter(([name, value]) => fields.includes(name) && value !== undefined),
  );
}
