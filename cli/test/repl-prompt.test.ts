import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DevService } from './support/dev-service.ts';
import { keys } from './support/pseudo-terminal.ts';
import { ReplTerminal } from './support/repl-terminal.ts';

describe('replpool repl on a terminal', function () {
  this.timeout(180_000);
  let dev: DevService;
  let home = '';
  let url = '';
  before(async () => {
    dev = await DevService.start();
    url = await dev.url();
  });
  beforeEach(async () => {
    home = await mkdtemp(join('/tmp', 'rp-home-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));
  after(() => dev[Symbol.asyncDispose]());

  it('asks for more lines of a block until an empty one, then shows the result', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('def double(x):');
    await repl.line('    return [x,', '... ');
    await repl.line('        x]', '... ');
    await repl.line('', '... ');
    await repl.run('double("é 日本")');
    assert.deepEqual(repl.after('>>> def double(x):'), [
      '...     return [x,',
      '...         x]',
      '...',
      '>>> double("é 日本")',
      "['é 日本', 'é 日本']",
      '>>>',
    ]);
  });

  it('takes what was pasted as one text, empty lines and all, and runs it on Enter', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    repl.paste(
      'def f(x):\n    """doc\n\n    more"""\n\n    try:\n        return 1 / x\n\n    finally:\n        print("f")\n\nf(1)',
    );
    await repl.lastLine('... f(1)');
    repl.type(keys.enter);
    await repl.shows(/\.\.\. {5}finally:\n\.\.\. {9}print\("f"\)\n\.\.\.\n\.\.\. f\(1\)\nf\n1\.0\n>>>$/);
  });

  it('shows the traceback with the source line, and goes on', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('1/0');
    const [head, place, source] = repl.after('>>> 1/0');
    assert.deepEqual([head, source], ['Traceback (most recent call last):', '    1/0']);
    assert.match(place ?? '', /<cell 1>", line 1/);
    await repl.shows(/ZeroDivisionError: division by zero\n>>>$/);
  });

  it('begins the prompt on a new line after output without its end', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('print("no end", end="")');
    assert.deepEqual(repl.after('>>> print("no end", end="")'), ['no end', '>>>']);
  });

  it('writes the output of a background task above what is being typed', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    const file = join(home, 'go');
    await repl.run('import asyncio, os, sys');
    await repl.line('async def wait():');
    await repl.line(`    while not os.path.exists(${JSON.stringify(file)}): await asyncio.sleep(0.01)`, '... ');
    await repl.line('    print("out"); print("err", file=sys.stderr); print("done")', '... ');
    await repl.line('', '... ');
    await repl.run('task = asyncio.create_task(wait())');
    const typed = `"half typed ${'日本語 '.repeat(20)}"`;
    repl.type(typed + keys.left);
    await repl.shows(/half typed[\s\S]*"$/);
    await writeFile(file, '');
    await repl.shows(/(out|err|done)\n(out|err|done)\n(out|err|done)\n>>> "half typed/);
    repl.type(`!${keys.enter}`);
    // A wide character that does not fit the row leaves its last cell empty.
    await repl.shows(/'half typed [日本語 ]+!'\n>>>$/);
    const output = repl.after('>>> task = asyncio.create_task(wait())').slice(0, 3);
    assert.deepEqual(output.toSorted(), ['done', 'err', 'out']);
  });

  it('interrupts the code, not itself, on Ctrl-C, and keeps the session', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('import time; x = 41');
    await repl.line('print("runs"); time.sleep(1000)');
    await repl.lastLine('runs');
    repl.type(`typed ahead${keys.ctrlC}`);
    await repl.shows(/runs\n\^C\nTraceback[\s\S]*\nKeyboardInterrupt\n>>>$/);
    await repl.run('x + 1');
    assert.deepEqual(repl.after('>>> x + 1'), ['42', '>>>']);
  });

  it('shows what is typed while code runs behind the next prompt', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('import os, time');
    const file = join(home, 'go');
    await repl.line('print("runs")');
    await repl.line('while not os.path.exists("'.concat(file, '"): time.sleep(0.01)'));
    await repl.line('', '... ');
    repl.type(`1 + 1${keys.enter}2 + 2${keys.enter}`);
    await writeFile(file, '');
    await repl.shows(/\n>>> 1 \+ 1\n2\n>>> 2 \+ 2\n4\n>>>$/);
  });

  it('clears an unfinished statement on Ctrl-C', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('f(1,');
    await repl.lastLine('...');
    repl.type(`2${keys.ctrlC}`);
    await repl.shows(/\.\.\. 2\^C\nKeyboardInterrupt\n>>>$/);
    await repl.run('7 * 6');
    assert.deepEqual(repl.after('>>> 7 * 6'), ['42', '>>>']);
  });

  it('runs an unfinished statement on Ctrl-D as Python does, and ends on Ctrl-D at the prompt', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.line('f(');
    await repl.lastLine('...');
    repl.type(keys.ctrlD);
    await repl.shows(/SyntaxError: '\(' was never closed\n>>>$/);
    repl.type(keys.ctrlD);
    assert.equal(await repl.exited(), 0);
    const list = (await (await fetch(`${url}/v1/sessions`)).json()) as { items: unknown[] };
    assert.deepEqual(list.items, []);
  });

  it('completes from the live namespace: what is common at once, the list on the second Tab, an indent at the margin', async () => {
    await using repl = await ReplTerminal.start({ url, home });
    await repl.run('measure_one, measure_two = 1, 2');
    repl.type(`meas${keys.tab}`);
    await repl.lastLine('>>> measure_');
    repl.type(`${keys.tab}${keys.tab}`);
    await repl.shows(/\nmeasure_one +measure_two\n[\s\S]*>>> measure_$/);
    repl.type(`t${keys.tab}${keys.enter}`);
    await repl.shows(/>>> measure_two\n2\n>>>$/);
    await repl.line('if True:');
    await repl.lastLine('...');
    repl.type(`${keys.tab}print("in")${keys.enter}${keys.enter}`);
    await repl.shows(/\.\.\. {5}print\("in"\)\n\.\.\.\nin\n>>>$/);
  });

  it('tells the code how wide the window is', async () => {
    await using repl = await ReplTerminal.start({ url, home, columns: 57 });
    await repl.run('import shutil; shutil.get_terminal_size().columns');
    assert.deepEqual(repl.lines.slice(-2), ['57', '>>>']);
  });

  it('goes back in history with the up arrow, over starts too, and lets nobody else read it', async () => {
    {
      await using repl = await ReplTerminal.start({ url, home });
      await repl.run('"older"');
      await repl.run('"newer"');
    }
    await using repl = await ReplTerminal.start({ url, home });
    repl.type(keys.up);
    await repl.lastLine('>>> "newer"');
    repl.type(keys.up);
    await repl.lastLine('>>> "older"');
    const file = join(home, '.local', 'state', 'replpool', 'history');
    assert.equal((await stat(file)).mode & 0o077, 0);
    assert.equal(await readFile(file, 'utf8'), '"older"\n"newer"\n');
  });
});
