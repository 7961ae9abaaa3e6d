// `node scripts/check-packages.mjs`: packs every package that is published, installs the tarballs in an empty folder and runs code through a
// `replpool dev` there. Needs the registries of npm and Python, which tests must not; so it is a step of .ci/run.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(join(tmpdir(), 'replpool-packages-'));
const home = join(work, 'home');
const place = join(work, 'empty');
// What npm tells its scripts must not lead the inner npm back here.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^INIT_CWD$/i.test(name)));

function packageFile(folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
}

function pack() {
  const published = packageFile('.').workspaces.filter((folder) => packageFile(folder).private !== true);
  const args = published.flatMap((folder) => ['--workspace', folder]);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', work, ...args], { cwd: root, env, stdio: 'inherit' });
  return readdirSync(work)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(work, name));
}

/** The URL of a service that runs now. */
async function url(dev) {
  let said = '';
  dev.stdout.setEncoding('utf8');
  for await (const chunk of dev.stdout) {
    said += chunk;
    const found = /up at (http:\/\/\S+)[\s\S]*Ctrl-C ends everything/.exec(said);
    if (found) return found[1];
  }
  throw new Error(`replpool dev ended: ${said}`);
}

/** kubectl's plugin has all that it needs too; without a cluster it says so. */
function checkPlugin(plugin, options) {
  const help = spawnSync(plugin, ['--help'], options);
  assert.equal(help.status, 0, help.stderr);
  for (const command of ['status', 'sessions', 'drain', 'report'])
    assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
  for (const command of [['status'], ['sessions'], ['drain', 'pod'], ['report']]) {
    const { status, stderr } = spawnSync(plugin, [...command, '--kubeconfig', '/missing'], options);
    assert.deepEqual([status, /there is no kubeconfig at \/missing/.test(stderr)], [2, true], stderr);
  }
}

async function check() {
  mkdirSync(home);
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{"private": true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', ...pack()], {
    cwd: place,
    env,
    stdio: 'inherit',
  });
  const replpool = join(place, 'node_modules', '.bin', 'replpool');
  const options = { cwd: place, env: { ...env, XDG_CACHE_HOME: home } };
  checkPlugin(join(place, 'node_modules', '.bin', 'kubectl-replpool'), { ...options, encoding: 'utf8' });
  const dev = spawn(replpool, ['dev', '--port', '0'], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const at = await url(dev);
    const run = spawnSync(replpool, ['run', '-', '--url', at], { ...options, input: 'print(6 * 7)', encoding: 'utf8' });
    assert.deepEqual([run.status, run.stdout], [0, '42\n'], run.stderr);
    assert.equal((await (await fetch(`${at}/openapi.json`)).json()).openapi, '3.0.3');
  } finally {
    dev.kill('SIGTERM');
    if (dev.exitCode === null) await once(dev, 'exit');
  }
}

try {
  await check();
  process.stdout.write('the published packages serve a session from an empty folder\n');
} finally {
  rmSync(work, { recursive: true, force: true, maxRetries: 10 });
}
