// Helm on this repository's chart.
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const chart = `${root}charts/replpool`;
/** What templates are made for where no cluster is asked. */
const OFFLINE = ['--kube-version', '1.34.0'];

/** Helm's path: $HELM, that of the PATH, or compiled by Go; undefined where there is none of them. */
export function findHelm() {
  const named = process.env.HELM ?? 'helm';
  if (spawnSync(named, ['version'], { stdio: 'ignore' }).status === 0) return named;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) return undefined;
  return execFileSync(`${root}e2e/cluster/tool`, ['helm'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }).trim();
}

/** The chart rendered. @throws Error with what Helm says, where it refuses */
export function template(helm, release, namespace, args) {
  const all = ['template', release, chart, '--namespace', namespace, ...OFFLINE, ...args];
  const done = spawnSync(helm, all, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** @throws Error where lint has something to say, warnings included */
export function lint(helm, args) {
  const done = spawnSync(helm, ['lint', '--strict', chart, ...OFFLINE, ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stdout + done.stderr);
}
