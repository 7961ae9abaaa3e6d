// promtool of Debian's prometheus package, unpacked and not installed: an installation would start a server.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './helm.mjs';

const folder = join(root, '.replpool', 'prometheus');
const unpacked = join(folder, 'usr/bin/promtool');

/** promtool's path; undefined where it is neither installed nor to be had. */
export function findPromtool() {
  if (spawnSync('promtool', ['--version'], { stdio: 'ignore' }).status === 0) return 'promtool';
  if (!existsSync(unpacked)) unpack();
  return existsSync(unpacked) ? unpacked : undefined;
}

function unpack() {
  mkdirSync(join(root, '.replpool'), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  const run = (command, ...args) =>
    spawnSync(command, args, { cwd: work, stdio: ['ignore', 'ignore', 2] }).status === 0;
  const download = () => run('apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', 'prometheus');
  if (download() || (run('apt-get', 'update', '-qq') && download())) {
    const [archive] = readdirSync(work);
    execFileSync('dpkg', ['-x', archive, 'root'], { cwd: work });
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, 'root'), folder);
  }
  rmSync(work, { recursive: true, force: true });
}
