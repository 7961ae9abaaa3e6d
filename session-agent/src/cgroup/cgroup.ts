import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '@replpool/service';
import { keyedNumber } from './cgroup-file.ts';
import { endOthers, endTrees } from './tree.ts';
import type { CgroupLimits, CgroupVersion, Controller, LimitFile, UsageFile } from './version.ts';

/** What all processes of a cgroup use together; absent is what the kernel does not count. */
export interface CgroupUsage {
  readonly memoryBytes?: number;
  readonly peakBytes?: number;
  readonly cpuMs?: number;
}

/** What is known of a cgroup when it ends. */
export interface FinalCount {
  /** Processes in it that the kernel killed for want of memory. */
  readonly oomKills: number;
  readonly cpuMs?: number | undefined;
}

/** The folder of a cgroup by controller: all the same one in v2, one in each hierarchy in v1. */
export type Folders = ReadonlyMap<Controller, string>;

/** The cgroup of one worker and of all that it starts. */
export class Cgroup {
  readonly #version: CgroupVersion;
  readonly #folders: Folders;
  #isKilledAlone = false;

  private constructor(version: CgroupVersion, folders: Folders) {
    this.#version = version;
    this.#folders = folders;
  }

  /** Makes one without limits. */
  static async create(version: CgroupVersion, parents: Folders, name: string): Promise<Cgroup> {
    const folders = new Map([...parents].map(([controller, parent]) => [controller, join(parent, name)]));
    const cgroup = new Cgroup(version, folders);
    try {
      for (const folder of cgroup.#distinct()) await mkdir(folder);
    } catch (error) {
      await cgroup.end();
      throw error;
    }
    return cgroup;
  }

  /** Moves a process in with all its threads; its later children are born here. */
  async add(pid: number): Promise<void> {
    for (const folder of this.#distinct()) await write(join(folder, 'cgroup.procs'), String(pid));
  }

  /** @throws Error where the kernel refuses one, such as a memory limit below what is in use */
  async limit(limits: CgroupLimits): Promise<void> {
    await this.#write(this.#version.limitFiles(limits));
  }

  /** From now on a process that has no memory is killed alone. */
  async killAlone(): Promise<void> {
    if (this.#isKilledAlone) return;
    await this.#write(this.#version.killAlone);
    this.#isKilledAlone = true;
  }

  async #write(files: readonly LimitFile[]): Promise<void> {
    for (const { controller, file, value, optional, boundedAbove } of files) {
      const folder = this.#folders.get(controller);
      if (folder === undefined) continue;
      try {
        await write(join(folder, file), value);
      } catch (error) {
        const isHarmless = (optional && hasErrno(error, 'ENOENT')) || (boundedAbove && hasErrno(error, 'EINVAL'));
        if (!isHarmless) throw error;
      }
    }
  }

  /** Synchronous: it is asked on the turn in which we hear of a worker's end, before anybody can remove the cgroup. */
  finalCount(): FinalCount {
    const read = (controller: Controller, file: string) => {
      const folder = this.#folders.get(controller);
      return folder === undefined ? undefined : readFileSync(join(folder, file), 'utf8');
    };
    const { oomFile, cpuMs } = this.#version;
    const time = read(cpuMs.controller, cpuMs.file);
    return {
      oomKills: keyedNumber(read('memory', oomFile) ?? '', 'oom_kill') ?? 0,
      cpuMs: time === undefined ? undefined : cpuMs.read(time),
    };
  }

  async usage(): Promise<CgroupUsage> {
    const { memory, peak, cpuMs } = this.#version;
    const [memoryBytes, peakBytes, cpu] = await Promise.all([memory, peak, cpuMs].map((file) => this.#read(file)));
    return {
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(peakBytes !== undefined && { peakBytes }),
      ...(cpu !== undefined && { cpuMs: cpu }),
    };
  }

  /** Kills all that is in here, whatever it did to its session, its parents and its environment, and removes it. */
  end(): Promise<void> {
    return endTrees(this.#distinct());
  }

  /** Kills all that is in here but these processes. */
  endOthers(spare: readonly number[]): Promise<void> {
    return endOthers(this.#distinct(), new Set(spare));
  }

  async #read({ controller, file, read }: UsageFile): Promise<number | undefined> {
    const folder = this.#folders.get(controller);
    if (folder === undefined) return undefined;
    const text = await readFile(join(folder, file), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : read(text);
  }

  #distinct(): readonly string[] {
    return distinctFolders(this.#folders);
  }
}

/** Each folder once, the one of `pids` first: it is what stops a fork bomb while we kill it. */
export function distinctFolders(folders: Folders): readonly string[] {
  const pids = folders.get('pids');
  return [...new Set([...(pids === undefined ? [] : [pids]), ...folders.values()])];
}

/** Never makes a file: where the kernel has none, neither have we. */
export async function write(file: string, value: string): Promise<void> {
  await writeFile(file, value, { flag: 'r+' });
}
