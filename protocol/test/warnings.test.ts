import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { warningCodes } from '../src/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** How the agent and the worker write a warning, each with its code in the first group. */
const WAYS = [
  /['"]warning['"][^;}]*?code['"]?: ['"]([A-Z0-9_]+)['"]/g,
  /warn\([^;]*?'([A-Z0-9_]+)'/g,
  /warnings: \[\s*\{\s*code: '([A-Z0-9_]+)'/g,
];

describe('the codes of warnings', () => {
  it('are those that the sources give, each and no other', () => {
    const files = globSync(['session-agent/src/**/*.ts', 'worker/src/**/*.py'], { cwd: root });
    const given = new Set<string>();
    for (const file of files) {
      const text = readFileSync(root + file, 'utf8');
      for (const way of WAYS) for (const [, code] of text.matchAll(way)) given.add(code ?? '');
    }
    assert.deepEqual([...given].toSorted(), [...warningCodes].toSorted());
  });
});
