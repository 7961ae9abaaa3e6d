import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Cgroup, distinctFolders, type Folders, write } from './cgroup.ts';
import type { Place } from './place.ts';
import { removeEmptyTree } from './tree.ts';
import { v1 } from './v1.ts';
import { v2 } from './v2.ts';
import { type CgroupVersion, type Controller, LIMITING } from './version.ts';

/** Every value that the kernel can hold; a probe that writes it bounds nothing. */
const PROBE_LIMITS = { memoryBytes: 2 ** 50, cores: 0.01, processes: 4096 };

export interface Prepared {
  readonly version: CgroupVersion;
  readonly folders: Folders;
}

/**
 * Makes a place ready, and tries it out.
 * @returns the folders of the controllers that can be used here
 * @throws Error where one that limits is missing
 */
export async function prepare(place: Place, unique: string): Promise<Prepared> {
  try {
    const prepared = place.version === 'v2' ? await prepareV2(place) : await prepareV1(place);
    const probe = await Cgroup.create(prepared.version, prepared.folders, `probe-${unique}`);
    try {
      await probe.limit(PROBE_LIMITS);
      await moveChild(probe);
    } finally {
      await probe.end();
    }
    return prepared;
  } catch (error) {
    if (place.isTemporary) for (const folder of distinctFolders(place.folders)) await removeEmptyTree(folder);
    throw error;
  }
}

/**
 * Whether we may move what we start is known by doing it. Rights on files do not tell: with the mount option `nsdelegate`, as systemd has
 * it, nothing moves out of a cgroup namespace (ENOENT).
 */
async function moveChild(probe: Cgroup): Promise<void> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], { stdio: 'ignore', env: {} });
  const ended = once(child, 'exit');
  try {
    await probe.add(child.pid ?? 0);
  } catch (cause) {
    child.kill('SIGKILL');
    throw new Error(`a process cannot be moved into a cgroup there: ${String(cause)}`, { cause });
  }
  await probe.end();
  await ended;
}

async function prepareV1({ folders, isOurs }: Place): Promise<Prepared> {
  const usable = new Map<Controller, string>();
  for (const controller of LIMITING) {
    const folder = folders.get(controller);
    if (folder === undefined) throw new Error(`controller ${controller} is not mounted where we could use it`);
    await makeOrFind(folder, isOurs);
    usable.set(controller, folder);
  }
  // It only counts: without it cpu time is what the executions say.
  const counting = folders.get('cpuacct');
  if (counting !== undefined) {
    const isThere = await makeOrFind(counting, isOurs).then(
      () => true,
      () => false,
    );
    if (isThere) usable.set('cpuacct', counting);
  }
  return { version: v1, folders: usable };
}

async function prepareV2({ folders, isOurs, isTemporary }: Place): Promise<Prepared> {
  const folder = distinctFolders(folders)[0] ?? '';
  const pod = dirname(folder);
  // Who runs on a laptop does not want its cgroups reconfigured; a pod's are ours to configure.
  if (isOurs && !isTemporary) await enable(pod);
  await demandControllers(join(pod, 'cgroup.subtree_control'));
  await makeOrFind(folder, isOurs);
  await demandControllers(join(folder, 'cgroup.controllers'));
  await enable(folder);
  return { version: v2, folders };
}

async function makeOrFind(folder: string, isOurs: boolean): Promise<void> {
  if (isOurs) await mkdir(folder, { recursive: true });
  await access(folder, constants.W_OK);
}

async function missingIn(file: string): Promise<readonly Controller[]> {
  const there = (await readFile(file, 'utf8')).trim().split(' ');
  return LIMITING.filter((controller) => !there.includes(controller));
}

async function demandControllers(file: string): Promise<void> {
  const missing = await missingIn(file);
  if (missing.length > 0) throw new Error(`${file} lacks ${missing.join(', ')}`);
}

/** Lets a cgroup's children have the controllers. */
async function enable(folder: string): Promise<void> {
  const file = join(folder, 'cgroup.subtree_control');
  const missing = await missingIn(file);
  if (missing.length > 0) await write(file, missing.map((controller) => `+${controller}`).join(' '));
}
