import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A unix socket's path has at most 107 bytes, and the agents add their own part.
const longestBase = 40;

/** Marks the folders of this machine's pid namespace: with a shared /tmp another container's pids mean nothing here. */
async function namespaceMark(): Promise<string> {
  const inode = /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0';
  return Number(inode).toString(36);
}

/** Removes the folders of starts that were killed before they could. */
async function removeAbandoned(base: string, prefix: string): Promise<void> {
  for (const name of await readdir(base)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    // Another user's folder cannot be removed, and need not be.
    await rm(join(base, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The folder of sockets and working folders, gone with the disposal. */
export async function makeRunDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const base = tmpdir().length <= longestBase ? tmpdir() : '/tmp';
  const prefix = `replpool-${await namespaceMark()}-`;
  await removeAbandoned(base, prefix);
  const path = await mkdtemp(join(base, `${prefix}${process.pid}-`));
  return {
    path,
    // What a killed agent's workers are still writing is gone an instant later, hence the retries.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10 }),
  };
}
