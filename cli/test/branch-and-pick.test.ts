import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { DevService } from './support/dev-service.ts';
import { examples } from './support/replpool.ts';

describe('examples/branch-and-pick.mjs', function () {
  this.timeout(180_000);

  it('rolls a failed step back, tries eight candidates on live copies, goes on with the best, and leaves no session', async () => {
    await using dev = await DevService.start();
    const url = await dev.url();
    const child = spawn(process.execPath, [`${examples}branch-and-pick.mjs`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, REPLPOOL_URL: url, REPLPOOL_API_KEY: '' },
    });
    const [stdout, stderr, exit] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    assert.deepEqual([exit[0], stderr], [0, ''], stdout);

    const lossOf = (pattern: RegExp): number[] => [...stdout.matchAll(pattern)].map(([, loss]) => Number(loss));
    const [before, after, ...more] = lossOf(/^the base model has a loss of (\S+)$/gm);
    assert.deepEqual([before, more], [after, []]);
    assert.match(stdout, /^a step failed \(ZeroDivisionError: .*\) and was rolled back$/m);
    assert.match(stdout, /^8 branches in \d+ ms$/m);

    const tried = lossOf(/^[\d.]+ +(\d\S*)/gm);
    assert.deepEqual([tried.length, lossOf(/^10 +OverflowError: (.*)$/gm).length], [7, 1], stdout);
    assert.equal(new Set(tried).size, tried.length, 'each has another rate');
    const [best] = lossOf(/(\S+) {2}<- best$/gm);
    assert.equal(best, Math.min(...tried));
    const [further] = lossOf(/^the best goes on, alone: a loss of (\S+)$/gm);
    assert.ok(further !== undefined && best !== undefined && further < best, stdout);

    const { items } = (await (await fetch(`${url}/v1/sessions`)).json()) as { items: unknown[] };
    assert.deepEqual(items, []);
  });
});
