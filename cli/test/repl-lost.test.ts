import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DevService } from './support/dev-service.ts';
import { until } from './support/processes.ts';
import { keys } from './support/pseudo-terminal.ts';
import { ReplTerminal } from './support/repl-terminal.ts';
import { examples } from './support/replpool.ts';

describe('replpool repl, when something dies', function () {
  this.timeout(180_000);
  let home = '';
  before(async () => {
    home = await mkdtemp(join('/tmp', 'rp-home-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  it('tells that the worker was killed, at the prompt and in code, and goes on', async () => {
    await using dev = await DevService.start();
    await using repl = await ReplTerminal.start({ url: await dev.url(), home });
    await repl.run('x = 1; __import__("os").getpid()');
    repl.type('"half ty');
    await repl.lastLine('>>> "half ty');
    process.kill(Number(repl.lines.at(-2)), 'SIGKILL');
    await repl.shows(/the session is back \(signal\)[\s\S]*lost: x[\s\S]*>>> "half ty$/);
    repl.type(`ped"${keys.enter}`);
    await repl.shows(/'half typed'\n>>>$/);
    await repl.line('import os; os.kill(os.getpid(), 9)');
    await repl.shows(/the worker died \(signal\)[\s\S]*>>>$/);
    await repl.shows(/the session is back[\s\S]*the session is back/);
    await repl.run('"on"');
  });

  it('ends with 3 where the session is lost with its agent', async () => {
    await using dev = await DevService.start(['-f', `${examples}python.yaml`, '--agents', '1']);
    await using repl = await ReplTerminal.start({ url: await dev.url(), home });
    const agent = dev.processes().find(({ command }) => command.includes('--pod'));
    assert.ok(agent);
    process.kill(agent.pid, 'SIGKILL');
    assert.equal(await repl.exited(), 3);
    assert.match(repl.lines.join('\n'), /connection to the service is lost[\s\S]*SESSION_LOST/);
  });

  it('ends with 3 where the service is gone, after a time in which it might have come back', async () => {
    await using dev = await DevService.start();
    await using repl = await ReplTerminal.start({ url: await dev.url(), home });
    repl.type('half typed');
    await repl.lastLine('>>> half typed');
    for (const { pid } of dev.processes()) process.kill(pid, 'SIGKILL');
    assert.equal(await repl.exited(), 3);
    assert.match(repl.lines.join('\n'), /connection to the service is lost[\s\S]*nothing answers at http/);
  });

  it('deletes its session where its terminal is closed', async () => {
    await using dev = await DevService.start();
    const url = await dev.url();
    const repl = await ReplTerminal.start({ url, home });
    await repl[Symbol.asyncDispose]();
    await until(async () => {
      const list = (await (await fetch(`${url}/v1/sessions`)).json()) as { items: unknown[] };
      return list.items.length === 0;
    });
  });
});
