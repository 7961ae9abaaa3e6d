import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from '@replpool/protocol';
import { ExitCode } from '../src/failure.ts';
import { DevService } from './support/dev-service.ts';
import { until } from './support/processes.ts';
import { keys } from './support/pseudo-terminal.ts';
import { ReplTerminal } from './support/repl-terminal.ts';
import { type Ended, replpool } from './support/replpool.ts';

describe('commands of replpool repl', function () {
  this.timeout(180_000);
  let dev: DevService;
  let url = '';
  let home = '';
  before(async () => {
    dev = await DevService.start();
    url = await dev.url();
    home = await mkdtemp(join('/tmp', 'rp-home-'));
  });
  after(async () => {
    await dev[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const { id } of await sessions()) await fetch(`${url}/v1/sessions/${id}`, { method: 'DELETE' });
  });

  const sessions = async (): Promise<Session[]> =>
    ((await (await fetch(`${url}/v1/sessions`)).json()) as { items: Session[] }).items;
  const typed = (lines: readonly string[], args: readonly string[] = []): Promise<Ended> =>
    replpool(['repl', '--url', url, ...args], `${lines.join('\n')}\n`);
  const made = async (): Promise<string> => (await dev.post('/v1/sessions', {})).body.id as string;
  const run = async (session: string, code: string): Promise<unknown> => {
    const { body } = await dev.post(`/v1/sessions/${session}/executions`, { code });
    return (body as { result?: { data: Record<string, string> } }).result?.data['text/plain'];
  };

  describe('%begin', () => {
    it('is undone by %rollback, over several statements, and what follows is in no transaction', async () => {
      const lines = ['l = [1]', '%begin', 'l.append(2)', 'l.append(3)', 'l', '%rollback', 'l', 'l.append(4); 1/0', 'l'];
      const { code, stdout, stderr } = await typed(lines);
      assert.equal(stdout, '[1, 2, 3]\n[1]\n[1, 4]\n');
      assert.match(stderr, /^replpool: what follows is in a transaction.*\nreplpool: rolled back \(\d+\.\d ms\)\n/);
      assert.equal(code, ExitCode.ok);
    });

    it('is kept by %commit, and may be followed by another', async () => {
      const lines = ['l = [1]', '%begin', 'l.append(2)', '%commit', '%begin', 'l.append(3)', '%rollback', 'l'];
      const { stdout, stderr } = await typed(lines);
      assert.equal(stdout, '[1, 2]\n');
      assert.match(stderr, /\nreplpool: committed\n/);
    });

    it('says what a rollback does not undo', async () => {
      const { stderr } = await typed(['%begin', 'f = open("made.txt", "w"); f.flush()', '%rollback']);
      assert.match(stderr, /rolled back .*; not undone: .*made\.txt/);
    });

    it('ends by itself with the process, which the prompt says', async () => {
      const kill = 'import os; os._exit(3)';
      const lines = ['l = [1]', '%begin', 'l.append(2)', kill, 'l', '%rollback', '%begin', kill, '%begin', '%commit'];
      const { stdout, stderr } = await typed(lines);
      assert.equal(stdout, '[1]\n');
      assert.equal(stderr.match(/replpool: the transaction is rolled back; what follows is in none/g)?.length, 2);
      assert.match(stderr, /NO_TRANSACTION/);
      assert.match(stderr, /nothing ran in it\n$/);
    });

    it('is refused twice, and its end where there is none', async () => {
      const { code, stderr } = await typed(['%commit', '%begin', '%begin', '%rollback', '1']);
      assert.match(stderr, /\(NO_TRANSACTION\)\n {2}Open one[\s\S]*a transaction is open already\n {2}%commit or/);
      assert.match(stderr, /nothing ran in it/);
      assert.equal(code, ExitCode.ok);
    });

    it('is told of where another client ends it', async () => {
      const session = await made();
      await using repl = await ReplTerminal.start({ url, home, args: ['--session', session] });
      await repl.run('l = [1]');
      await repl.run('%begin');
      await repl.run('l.append(2)');
      await dev.post(`/v1/sessions/${session}/transaction/rollback`, {});
      await repl.shows(/replpool: the transaction is rolled back; what follows is in none\n>>>$/);
      await repl.run('l');
      assert.deepEqual(repl.after('>>> l'), ['[1]', '>>>']);
    });
  });

  describe('%undo', () => {
    const keeps = ['--keep-snapshots', '4'];
    it('goes back to before the last statements of which the changes stand', async () => {
      const lines = ['l = [1]', 'l.append(2)', 'l.append(3)', '%undo', 'l', '%undo 2', 'l', 'l.append(4); 1/0', 'l'];
      const { code, stdout, stderr } = await typed(lines, keeps);
      assert.equal(stdout, '[1, 2]\n[1]\n[1, 4]\n');
      assert.match(stderr, /\nreplpool: undone: 1 statement \(\d+\.\d ms\)\n[\s\S]*\nreplpool: undone: 2 statements /);
      assert.equal(code, ExitCode.ok);
    });

    it('says what is gone, and what it does not undo', async () => {
      const { stderr } = await typed(['f = open("made.txt", "w"); f.flush()', '%undo'], keeps);
      assert.match(stderr, /^replpool: the session went back by an undo, gone: f\n/);
      assert.match(stderr, /undone: 1 statement .*; not undone: .*made\.txt/);
    });

    it('is refused beyond what is kept, and says how to keep more', async () => {
      const { code, stdout, stderr } = await typed(['x = 1', '%undo', 'x']);
      assert.match(stderr, /\(NO_SNAPSHOT\)\n {2}.*--keep-snapshots/);
      assert.deepEqual([code, stdout], [ExitCode.ok, '1\n']);
    });

    it('is refused in a transaction, which goes on', async () => {
      const { stdout, stderr } = await typed(['l = [1]', '%begin', 'l.append(2)', '%undo', '%rollback', 'l'], keeps);
      assert.match(stderr, /\(TRANSACTION_OPEN\)/);
      assert.equal(stdout, '[1]\n');
    });

    it('is told of where another client does it', async () => {
      const session = (await dev.post('/v1/sessions', { keepSnapshots: 2 })).body.id as string;
      await using repl = await ReplTerminal.start({ url, home, args: ['--session', session] });
      await repl.run('x = 1');
      await dev.post(`/v1/sessions/${session}/undo`, {});
      await repl.shows(/the session went back by an undo, gone: x\n>>>$/);
    });
  });

  describe('%fork', () => {
    it('prints the ids of live copies, which are there when the prompt has ended', async () => {
      const { code, stdout } = await typed(['l = [1]', '%fork', '%fork 2', 'l.append(2)']);
      const copies = stdout.trim().split('\n');
      assert.deepEqual([code, copies.length], [ExitCode.ok, 3]);
      assert.deepEqual((await sessions()).map(({ id }) => id).sort(), copies.sort());
      const ends = copies.map((copy) => typed(['l.append(3)', 'l'], ['--session', copy]));
      for (const end of ends) assert.equal((await end).stdout, '[1, 3]\n');
    });

    it('leaves the prompt there where it is refused', async () => {
      const { code, stdout, stderr } = await typed([
        'x = 1',
        '%fork 100',
        '%begin',
        'x = 2',
        '%fork',
        '%rollback',
        'x',
      ]);
      assert.match(stderr, /\(INVALID_REQUEST\)[\s\S]*\(TRANSACTION_OPEN\)/);
      assert.deepEqual([code, stdout], [ExitCode.ok, '1\n']);
    });
  });

  describe('%help', () => {
    it('shows what there is, and a command that is misused what it is like', async () => {
      const { stdout, stderr } = await typed(['%help', '%undo all']);
      assert.match(stdout, /^%begin .*\n%commit .*\n%rollback .*\n%undo \[N\] .*\n%fork \[N\] .*\n%help .*\n/);
      assert.equal(stderr, 'replpool: that is written %undo [N]\n  %help shows what there is\n');
    });

    it('leaves other lines to Python, and those within a statement', async () => {
      const { stdout, stderr } = await typed(['%time 1', '(5', '%undo', ')']);
      assert.equal(stdout, '');
      assert.match(stderr, /%time 1\n[\s\S]*SyntaxError[\s\S]*NameError: name 'undo'/);
    });

    it('is completed, and taken from the beginning of a pasted text', async () => {
      await using repl = await ReplTerminal.start({ url, home });
      repl.type(`%be${keys.tab}`);
      await repl.lastLine('>>> %begin');
      repl.type('\x15');
      await repl.lastLine('>>>');
      await repl.run('l = [1]');
      repl.paste('%begin\nl.append(2)\nl.append(3)');
      await repl.lastLine('... l.append(3)');
      repl.type(keys.enter);
      await repl.run('%rollback');
      await repl.run('l');
      assert.deepEqual(repl.after('>>> l'), ['[1]', '>>>']);
    });
  });

  describe('--session', () => {
    it('is a prompt on a session that is there, from now on, and leaves it there', async () => {
      const session = await made();
      await run(session, 'x = 41; print("before")');
      const { code, stdout } = await typed(['x + 1', 'y = 7'], ['--session', session]);
      assert.deepEqual([code, stdout], [ExitCode.ok, '42\n']);
      assert.equal(await run(session, 'y'), '7');
    });

    it('says that a transaction stays open', async () => {
      const session = await made();
      await run(session, 'l = [1]');
      const { stderr } = await typed(['%begin', 'l.append(2)'], ['--session', session]);
      assert.match(stderr, /the transaction is still open in the session\n$/);
      await typed(['%rollback'], ['--session', session]);
      assert.equal(await run(session, 'l'), '[1]');
    });

    it('ends the wait for its turn by Ctrl-C, and the prompt goes on', async () => {
      const session = await made();
      await using repl = await ReplTerminal.start({ url, home, args: ['--session', session] });
      const waiting = run(session, 'print("go", flush=True); input("? ")');
      await repl.shows(/\ngo\n>>>$/);
      repl.type('%commit');
      await repl.lastLine('>>> %commit');
      const shown = repl.bytes.length;
      repl.type(keys.enter);
      // From the new line on it waits.
      await until(() => repl.bytes.includes('\n', shown));
      repl.type(keys.ctrlC);
      await repl.shows(/no longer waited for before the answer came\n {2}.*\n>>>$/);
      await fetch(`${url}/v1/sessions/${session}/interrupt`, { method: 'POST' });
      await waiting;
    });

    it('ends with 2 where there is no such session, or one is to be made', async () => {
      for (const session of ['00000000-0000-4000-8000-000000000000', '../pools']) {
        const { code, stderr } = await typed(['1'], ['--session', session]);
        assert.equal(code, ExitCode.wrongUse);
        assert.match(stderr, /SESSION_NOT_FOUND/);
      }
      const { code, stderr } = await typed(['1'], ['--session', await made(), '--pool', 'python']);
      assert.equal(code, ExitCode.wrongUse);
      assert.match(stderr, /--session <id>' cannot be used with option '--pool/);
    });
  });
});
