import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DevService } from './support/dev-service.ts';
import { keys, PseudoTerminal } from './support/pseudo-terminal.ts';
import { ReplTerminal } from './support/repl-terminal.ts';

describe('input() at replpool repl on a terminal', function () {
  this.timeout(180_000);
  let dev: DevService;
  let home = '';
  let url = '';
  before(async () => {
    dev = await DevService.start();
    url = await dev.url();
    home = await mkdtemp(join('/tmp', 'rp-home-'));
  });
  after(async () => {
    await dev[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const history = (): Promise<string> => readFile(join(home, '.local', 'state', 'replpool', 'history'), 'utf8');

  it('shows the prompt behind what was printed, echoes the answer, and remembers no answer', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('print("a", end=""); name = input("? ")');
    await repl.line('Jürgen', 'a? ');
    await repl.run('name');
    assert.deepEqual(repl.after('>>> name'), ["'Jürgen'", '>>>']);
    assert.doesNotMatch(await history(), /Jürgen/);
  });

  it('keeps a line in the history that is also an answer', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('12345');
    await repl.line('n = input("? ")');
    await repl.line('12345', '? ');
    await repl.lastLine('>>>');
    repl.type(keys.up + keys.up);
    await repl.lastLine('>>> 12345');
  });

  it('shows and keeps nothing of a password', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('import getpass; word = getpass.getpass("secret: ")');
    await repl.lastLine('secret:');
    repl.type(`wrong${keys.up}\x15hünter3${keys.backspace}2${keys.tab}${keys.enter}`);
    await repl.lastLine('>>>');
    await repl.run('[ord(char) for char in word]');
    const codes = [...'hünter2\t'].map((char) => char.codePointAt(0)).join(', ');
    assert.deepEqual(repl.after('>>> [ord(char) for char in word]'), [`[${codes}]`, '>>>']);
    assert.doesNotMatch(repl.bytes, /wrong|hünt/);
    assert.doesNotMatch(await history(), /wrong|hünt/);
  });

  it('ends by Ctrl-C with KeyboardInterrupt, and the session keeps its names', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('x = 41');
    for (const ask of ['input("? ")', '__import__("getpass").getpass("? ")']) {
      await repl.line(ask);
      await repl.lastLine('?');
      repl.type(`answer${keys.ctrlC}`);
      await repl.shows(/\? (answer)?\^C\nTraceback.*(\n {2}.*)+\nKeyboardInterrupt\n>>>$/);
    }
    await repl.run('x + 1');
    assert.deepEqual(repl.after('>>> x + 1'), ['42', '>>>']);
  });

  it('ends by Ctrl-D with EOFError, and the prompt goes on', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    for (const ask of ['input("? ")', '__import__("getpass").getpass("? ")']) {
      await repl.line(ask);
      await repl.lastLine('?');
      repl.type(keys.ctrlD);
      await repl.shows(/\?\nTraceback.*(\n {2}.*)+\nEOFError.*\n>>>$/);
      await repl.run('"on"');
    }
  });

  it('takes each line of a pasted text as an answer', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('[input("a? "), input("b? ")]');
    await repl.lastLine('a?');
    repl.paste('one\ntwo\n');
    await repl.shows(/a\? one\nb\? two\n\['one', 'two'\]\n>>>$/);
  });

  it('is answered at the terminal by replpool run too, and its Ctrl-C ends the run with 130', async () => {
    const file = join(home, 'ask.py');
    await writeFile(file, 'print(input("a? ").upper())\ninput("b? ")');
    await using run = new PseudoTerminal(['run', file, '--url', url], { env: { HOME: home } });
    await run.lastLine('a?');
    run.type(`word${keys.enter}`);
    await run.shows(/a\? word\nWORD\nb\?$/);
    run.type(keys.ctrlC);
    assert.equal(await run.exited(), 130);
    assert.match(run.lines.join('\n'), /KeyboardInterrupt$/);
  });
});
