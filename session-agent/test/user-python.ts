import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { python } from './python.ts';

/** An interpreter that a user without rights may start, and what has to be in its environment. */
export interface UserPython {
  readonly python: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The command that runs another as a user without rights. */
export function asUser(uid: number): string[] {
  return [
    'setpriv',
    '--reuid',
    `${uid}`,
    '--regid',
    `${uid}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--no-new-privs',
  ];
}

/**
 * The development environment's, or the system's with the packages of that: root's own interpreter may lie where only root may look.
 * @returns undefined where that user may run neither, or may not read this checkout
 */
export function userPython(uid: number): UserPython | undefined {
  const own = python();
  const packages = execFileSync(own, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], {
    encoding: 'utf8',
  }).trim();
  const path = [packages, join(import.meta.dirname, '../../worker/src')].join(':');
  const candidates: UserPython[] = [
    { python: own, env: {} },
    { python: '/usr/bin/python3', env: { PYTHONPATH: path } },
  ];
  return candidates.find(({ python, env }) => {
    // By a shell: setpriv itself starts a program with more rights than that program then has.
    const command = '"$0" -e 0 && exec "$1" -c "import replpool_worker.worker, jedi"';
    const [setpriv = '', ...args] = [...asUser(uid), 'sh', '-c', command, process.execPath, python];
    return spawnSync(setpriv, args, { env: { ...process.env, ...env } }).status === 0;
  });
}
