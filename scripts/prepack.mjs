// `npm pack` and `npm publish` run this in a package's folder: a fresh dist/, with what the package needs from elsewhere in the repository.
// The copies lie in dist/, which git does not see; what runs from the repository never looks there, so none can be stale.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What goes along, as paths from the root, by package. */
const copies = {
  '@replpool/protocol': ['openapi.json'],
  '@replpool/cli': ['worker/pyproject.toml', 'worker/src/replpool_worker', 'examples'],
};

const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
// Or the output of a source that is gone would be published too.
rmSync('dist', { recursive: true, force: true });
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-b'], { stdio: ['ignore', 2, 2] });
for (const path of ['LICENSE', ...(copies[name] ?? [])]) {
  cpSync(join(root, path), join('dist', path), {
    recursive: true,
    filter: (source) => !source.includes('__pycache__'),
  });
}
