import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from './session/remove-tree.ts';

/**
 * An agent's folder for sockets, FIFOs and the sessions' folders. What is there already goes: it is of an agent that was killed, in a container
 * that started again with the same volume; its socket would be in the way, and its sessions are lost.
 */
export async function openRunDirectory(path: string): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await empty(path);
  return {
    [Symbol.asyncDispose]: async () => {
      await empty(path);
      // The root of a volume stays.
      await rmdir(path).catch(() => undefined);
    },
  };
}

async function empty(path: string): Promise<void> {
  for (const name of await readdir(path)) await removeTree(join(path, name));
}
