import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExitCode } from '../src/failure.ts';
import { DevService } from './support/dev-service.ts';
import { type Ended, replpool } from './support/replpool.ts';

describe('against a running service', function () {
  this.timeout(120_000);
  let dev: DevService;
  let folder = '';
  let url = '';
  before(async () => {
    dev = await DevService.start();
    url = await dev.url();
    folder = await mkdtemp(join('/tmp', 'rp-run-'));
  });
  after(async () => {
    await dev[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function runCode(code: string, stdin = '', args: readonly string[] = []): Promise<Ended> {
    const file = join(folder, 'code.py');
    await writeFile(file, code);
    return replpool(['run', file, '--url', url, ...args], stdin);
  }

  async function sessions(): Promise<number> {
    const list = (await (await fetch(`${url}/v1/sessions`)).json()) as { items: unknown[] };
    return list.items.length;
  }

  describe('replpool run', () => {
    it('streams stdout and stderr to its own, prints no result, and leaves no session', async () => {
      const ended = await runCode('import sys\nprint("out")\nprint("err", file=sys.stderr)\n42');
      assert.deepEqual(ended, { code: ExitCode.ok, stdout: 'out\n', stderr: 'err\n' });
      assert.equal(await sessions(), 0);
    });

    it('ends with 1 on an error in the code and shows its traceback', async () => {
      const { code, stderr } = await runCode('def f():\n    return 1 / 0\nf()');
      assert.equal(code, ExitCode.codeFailed);
      assert.match(stderr, /Traceback[\s\S]*return 1 \/ 0[\s\S]*ZeroDivisionError: division by zero\n$/);
      assert.equal(await sessions(), 0);
    });

    it('ends with 1 where the code kills its worker', async () => {
      const { code, stderr } = await runCode('import os\nos._exit(3)');
      assert.equal(code, ExitCode.codeFailed);
      assert.match(stderr, /the worker died \(exit\)/);
    });

    it('ends with 1 where the time is over', async () => {
      assert.equal((await runCode('import time\ntime.sleep(30)', '', ['--timeout', '1'])).code, ExitCode.codeFailed);
    });

    it('uploads files into the working folder', async () => {
      const data = join(folder, 'data.txt');
      await writeFile(data, 'uploaded\n');
      const { stdout } = await runCode('print(open("data.txt").read(), end="")', '', ['--file', data]);
      assert.equal(stdout, 'uploaded\n');
    });

    it('answers input() from stdin, and with the end of input where there is no more', async () => {
      const ask = 'print(input("a? ") + input("b? "))\ntry:\n    input()\nexcept EOFError:\n    print("end")';
      assert.equal((await runCode(ask, 'x\ny\n')).stdout, 'a? b? xy\nend\n');
    });

    it('reads the code itself from stdin with -', async () => {
      assert.equal((await replpool(['run', '-', '--url', url], 'print(6 * 7)')).stdout, '42\n');
    });
  });

  describe('replpool repl', () => {
    it('keeps state, prints results, continues blocks and goes on after an error', async () => {
      const lines = ['x = 41', 'x + 1', 'for i in range(2):', '    print(i)', '', '1/0', 'print("after")'];
      const { code, stdout, stderr } = await replpool(['repl', '--url', url], `${lines.join('\n')}\n`);
      assert.equal(code, ExitCode.ok);
      assert.equal(stdout, '42\n0\n1\nafter\n');
      assert.match(stderr, /ZeroDivisionError/);
      assert.equal(await sessions(), 0);
    });

    it('answers input() with the next line', async () => {
      const { stdout } = await replpool(['repl', '--url', url], 'name = input("who? ")\nyou\nname\n');
      assert.match(stdout, /who\? [\s\S]*'you'\n/);
    });
  });
});
