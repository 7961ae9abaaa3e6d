import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno } from '@replpool/service';
import { Cgroup, distinctFolders } from './cgroup.ts';
import type { Prepared } from './prepare.ts';
import { endTrees, removeEmptyTree } from './tree.ts';
import type { Controller } from './version.ts';

/** Of an agent that took what it could get: the pid tells whether it lives. */
const TEMPORARY = /^replpool-(\d+)-[0-9a-f]{8}$/;

export function temporaryName(pid: number, random: string): string {
  return `replpool-${pid}-${random}`;
}

/** The cgroups of this agent's workers, below folders that are its own. */
export class Cgroups implements AsyncDisposable {
  readonly version: 'v1' | 'v2';
  readonly controllers: readonly Controller[];
  readonly #prepared: Prepared;
  readonly #isTemporary: boolean;

  constructor(prepared: Prepared, isTemporary: boolean) {
    this.version = prepared.version.version;
    this.controllers = [...prepared.folders.keys()];
    this.#prepared = prepared;
    this.#isTemporary = isTemporary;
  }

  /** @param name a worker's, never given out again */
  create(name: string): Promise<Cgroup> {
    return Cgroup.create(this.#prepared.version, this.#prepared.folders, name);
  }

  /** Ends what an agent before this one left. Of a container nothing: its cgroup is new, and went with all that was in it. */
  async removeLeftovers(): Promise<void> {
    if (!this.#isTemporary) return;
    for (const folder of this.#folders) {
      const above = dirname(folder);
      for (const name of await readdir(above)) {
        const pid = TEMPORARY.exec(name)?.[1];
        // Only what is empty: its agent may live in another pid namespace.
        if (pid !== undefined && !isAlive(Number(pid))) await removeEmptyTree(join(above, name));
      }
    }
  }

  /** Ends all that is in them; a folder that was made for this agent alone goes too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endAll();
    if (this.#isTemporary) await endTrees(this.#folders);
  }

  get #folders(): readonly string[] {
    return distinctFolders(this.#prepared.folders);
  }

  async #endAll(): Promise<void> {
    for (const folder of this.#folders) {
      const entries = await readdir(folder, { withFileTypes: true });
      await endTrees(entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name)));
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's.
    return hasErrno(error, 'EPERM');
  }
}
