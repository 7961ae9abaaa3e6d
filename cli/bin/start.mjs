// Plain JavaScript that any Node.js >= 20 can start: finds the pinned Node.js 24 and continues there, unbuilt (src/) or built (dist/).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const major = Number(process.versions.node.split('.')[0]);

function fail(message) {
  process.stderr.write(`replpool: ${message}\n`);
  process.exit(3);
}

/** The binary of the npm package `node`, where its install script has put one. */
function pinnedNode() {
  try {
    const packageFile = createRequire(import.meta.url).resolve('node/package.json');
    const binary = join(dirname(packageFile), 'bin', 'node');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

/** Runs a file of src/ or dist/ by its name, with this process's arguments. */
export function start(main) {
  const source = join(home, 'src', `${main}.ts`);
  const built = join(home, 'dist', `${main}.js`);
  const isSource = existsSync(source);
  if (!isSource && !existsSync(built)) {
    fail(`neither ${source} nor ${built} is there; install the package again`);
  }
  const node = major >= 24 ? process.execPath : pinnedNode();
  if (node === undefined) {
    fail(
      `needs Node.js 24, and this is ${process.version}. The npm package \`node\`, which is installed with this one, brings it: install again without --ignore-scripts and --omit=optional (its install script must run), or put Node.js 24 first in PATH.`,
    );
  }
  const args = [...(isSource ? ['--conditions=source', source] : [built]), ...process.argv.slice(2)];
  // This process stays as a shell round the other (Node.js 20 cannot exec). When it is killed, fd 3 ends and the other one with it.
  const env = { ...process.env, REPLPOOL_PARENT_FD: '3' };
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'], env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
