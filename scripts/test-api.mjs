// `npm run test:api`: schemathesis against a real `replpool dev`, by the openapi.json that it serves. SEED repeats a run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SCHEMATHESIS = 'schemathesis==4.32.5';
const SECONDS = 40;
const root = join(import.meta.dirname, '..');
const venv = join(root, '.replpool', 'venv-api');
const program = join(venv, 'bin', 'schemathesis');
const seed = process.env.SEED ?? String(Date.now() % 2 ** 31);
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
];
const pool = `apiVersion: replpool.dev/v1alpha1
kind: ReplPool
metadata: {name: api}
spec:
  replicas: 1
  sessions: {minIdle: 1, maxPerPod: 64, idleTimeoutSeconds: 5, limits: {executionSeconds: 5}}
`;

/** A session that is lost says so, whatever is asked of it; else what schemathesis itself takes for a refusal. */
const config = `[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 421, 429, "5xx"]
`;

/** Whether this release of it is there, made on first use in an environment of its own. */
function hasSchemathesis() {
  const stamp = join(venv, `made-${SCHEMATHESIS}`);
  if (existsSync(stamp)) return true;
  rmSync(venv, { recursive: true, force: true });
  const run = (command, ...args) => spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] }).status === 0;
  const python = join(root, 'scripts', 'python.mjs');
  if (!run(process.execPath, python, '-m', 'venv', venv)) return false;
  if (!run(join(venv, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', SCHEMATHESIS)) return false;
  writeFileSync(stamp, '');
  return true;
}

/** A `replpool dev` on a free port. */
async function startDev(folder) {
  const file = join(folder, 'pool.yaml');
  writeFileSync(file, pool);
  const main = join(root, 'cli', 'src', 'main.ts');
  const args = ['--conditions=source', main, 'dev', '-f', file, '--port', '0'];
  const dev = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  });
  const lines = createInterface({ input: dev.stdout });
  let url;
  for await (const line of lines) {
    url ??= /is up at (http:\S+)/.exec(line)?.[1];
    if (url !== undefined && line.includes('Ctrl-C')) break;
  }
  if (url === undefined) throw new Error('replpool dev did not start');
  // What it says later is not read; it must not block for it.
  dev.stdout.resume();
  return { dev, url };
}

if (!hasSchemathesis()) {
  process.stdout.write(`test:api: skipped, for ${SCHEMATHESIS} could not be installed\n`);
  // No failure of who has none; `.ci/run` counts it apart.
  process.exit(Number(process.env.SKIPPED_STATUS ?? 0));
}
const folder = mkdtempSync(join(tmpdir(), 'replpool-api-'));
writeFileSync(join(folder, 'schemathesis.toml'), config);
let dev;
try {
  const started = await startDev(folder);
  dev = started.dev;
  const { url } = started;
  const options = [
    '--url',
    url,
    '--max-time',
    String(SECONDS),
    '--request-timeout',
    '30',
    '--seed',
    seed,
    '--no-color',
  ];
  // The events of an execution and the channel stay open as long as there is something to come.
  const without = ['--exclude-path-regex', '/(channel|events)$'];
  const args = ['run', `${url}/openapi.json`, ...options, ...without, '--continue-on-failure', '-c', checks.join(',')];
  const tested = spawn(program, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = await once(tested, 'exit');
  const isAlive = dev.exitCode === null && (await fetch(`${url}/readyz`)).status === 200;
  if (!isAlive) process.stdout.write('test:api: replpool dev did not live through it\n');
  process.exitCode = status === 0 && isAlive ? 0 : 1;
} finally {
  dev?.kill('SIGTERM');
  if (dev?.exitCode === null && dev.signalCode === null) await once(dev, 'exit');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
