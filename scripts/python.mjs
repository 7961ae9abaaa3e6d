// `node scripts/python.mjs ARGS…` runs Python with ARGS in the repo's root, in a virtual environment with the worker and
// its development tools. First use, and the first after worker/pyproject.toml changed, makes that environment.
// Plain JavaScript without dependencies: it runs on Node 20, before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const home = join(root, '.replpool');
const venv = join(home, 'venv-dev');
const lock = join(home, 'venv-dev.lock');
const python = join(venv, 'bin', 'python');
const LOCK_WAIT_MS = 10 * 60 * 1000;

const say = (text) => process.stderr.write(`python.mjs: ${text}\n`);

function fail(what, how) {
  say(what);
  say(how);
  process.exit(1);
}

// The first Python that really starts (a pyenv shim of a version that is not selected exits 127) and is new enough.
function findPython() {
  const names = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const chosen = process.env.REPLPOOL_PYTHON;
  const probe = 'import sys; print(sys.version_info >= (3, 10), sys.version.split()[0], sys.executable)';
  for (const name of chosen ? [chosen] : names) {
    const answer = spawnSync(name, ['-c', probe], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [enough, version, executable] = (answer.stdout ?? '').trim().split(' ');
    if (answer.status === 0 && enough === 'True') return { version, executable };
  }
  const tried = chosen ? `REPLPOOL_PYTHON=${chosen}` : names.join(', ');
  return fail(
    `no Python 3.10 or newer found (tried ${tried})`,
    'install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name one in REPLPOOL_PYTHON',
  );
}

function fingerprint() {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(root, 'worker', 'pyproject.toml')));
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  hash.update(`${root}\n${process.env.REPLPOOL_PYTHON ?? ''}`);
  return hash.digest('hex');
}

function isMade(stamp) {
  const file = join(venv, 'replpool-stamp');
  return existsSync(python) && existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

function step(command, args, what, how) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) {
    rmSync(venv, { recursive: true, force: true });
    rmSync(lock, { recursive: true, force: true });
    fail(what, how);
  }
}

// The stamp is written last: an environment that was interrupted half-way counts as none.
function make(stamp) {
  const found = findPython();
  say(`making .replpool/venv-dev with Python ${found.version} (once)`);
  rmSync(venv, { recursive: true, force: true });
  step(
    found.executable,
    ['-m', 'venv', venv],
    `${found.executable} could not make a virtual environment with pip`,
    'its venv or ensurepip module is missing (Debian and Ubuntu: apt-get install python3-venv), or name another Python in REPLPOOL_PYTHON',
  );
  say('installing the worker and its tools');
  step(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--editable', 'worker[dev]'],
    'pip could not install worker[dev]',
    'see the messages above; the package index must be reachable on the first run',
  );
  const file = join(venv, 'replpool-stamp');
  writeFileSync(`${file}.part`, stamp);
  renameSync(`${file}.part`, file);
  say('ready');
}

function holderIsAlive() {
  try {
    process.kill(Number(readFileSync(join(lock, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    // Another user's process is alive; a holder that has not yet written its number is too.
    return error.code === 'EPERM' || error.code === 'ENOENT';
  }
}

async function ensure() {
  const stamp = fingerprint();
  mkdirSync(home, { recursive: true });
  const deadline = Date.now() + LOCK_WAIT_MS;
  let said = false;
  while (!isMade(stamp)) {
    try {
      mkdirSync(lock);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderIsAlive()) {
        rmSync(lock, { recursive: true, force: true });
        continue;
      }
      if (Date.now() > deadline) fail(`another process has held ${lock} for too long`, `remove that folder`);
      if (!said) say('waiting for another process that makes the environment');
      said = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    try {
      writeFileSync(join(lock, 'pid'), String(process.pid));
      if (!isMade(stamp)) make(stamp);
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
}

await ensure();
const child = spawn(python, process.argv.slice(2), { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
child.on('error', (error) =>
  fail(`Python could not be started: ${error.message}`, 'remove .replpool/venv-dev and try again'),
);
child.on('exit', (code, signal) => {
  process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
});
