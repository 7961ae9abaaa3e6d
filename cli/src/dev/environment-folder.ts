import { constants } from 'node:fs';
import { access, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where environments are kept: `$XDG_CACHE_HOME` or `~/.cache`, and `.replpool/` here where that cannot be written. */
export async function environmentsFolder(env: NodeJS.ProcessEnv): Promise<string> {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  const first = join(cache, 'replpool', 'envs');
  try {
    await mkdir(first, { recursive: true });
    await access(first, constants.W_OK);
    return first;
  } catch {
    const second = resolve('.replpool', 'envs');
    await mkdir(second, { recursive: true });
    return second;
  }
}

/** Removes what an interrupted start left of one environment. Only under that environment's lock. */
export async function removeInterrupted(folder: string, key: string): Promise<void> {
  for (const name of await readdir(folder)) {
    // A killed pip may still be writing for an instant, hence the retries.
    if (name.startsWith(`${key}.tmp-`)) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

/** True where the environment is whole: it only ever gets its name by a rename, and its base Python is still there. */
export async function isUsable(environment: string): Promise<boolean> {
  try {
    await access(join(environment, 'bin', 'python'), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Console scripts name their interpreter with its whole path; before the rename, make it the final one. */
export async function retargetScripts(temporary: string, final: string): Promise<void> {
  const folder = join(temporary, 'bin');
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!(await lstat(path)).isFile()) continue;
    const content = await readFile(path, 'latin1');
    if (content.includes(temporary)) await writeFile(path, content.replaceAll(temporary, final), 'latin1');
  }
}
