import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cgroup, distinctFolders, type Folders, write } from './cgroup.ts';
import type { Place } from './place.ts';
import { probe } from './probe.ts';
import { removeEmptyTree } from './tree.ts';
import { v1 } from './v1.ts';
import { v2 } from './v2.ts';
import { vacate } from './vacate.ts';
import { type CgroupVersion, type Controller, LIMITING } from './version.ts';

export interface Prepared {
  readonly version: CgroupVersion;
  readonly folders: Folders;
}

/** Has our own cgroup given to us. @throws Error with the reason where it is not */
export type Delegate = (path: string) => Promise<void>;

/**
 * Makes a place ready, and tries it out.
 * @param delegate asked before anything is made
 * @returns the folders of the controllers that can be used here
 * @throws Error where one that limits is missing
 */
export async function prepare(place: Place, unique: string, delegate?: Delegate): Promise<Prepared> {
  try {
    const prepared = await (place.version === 'v2' ? prepareV2(place, delegate) : prepareV1(place, delegate));
    await probe(await Cgroup.create(prepared.version, prepared.folders, `probe-${unique}`));
    return prepared;
  } catch (error) {
    if (place.isTemporary) for (const folder of distinctFolders(place.sessions)) await removeEmptyTree(folder);
    throw error;
  }
}

async function prepareV1({ sessions, path }: Place, delegate: Delegate | undefined): Promise<Prepared> {
  const usable = new Map<Controller, string>();
  const limiting = LIMITING.map((controller) => {
    const folder = sessions.get(controller);
    if (folder === undefined) throw new Error(`controller ${controller} is not mounted where we could use it`);
    return [controller, folder] as const;
  });
  await delegate?.(path);
  for (const [controller, folder] of limiting) {
    await mkdir(folder, { recursive: true });
    usable.set(controller, folder);
  }
  // It only counts: without it cpu time is what the executions say.
  const counting = sessions.get('cpuacct');
  if (counting !== undefined) {
    const isThere = await mkdir(counting, { recursive: true }).then(
      () => true,
      () => false,
    );
    if (isThere) usable.set('cpuacct', counting);
  }
  return { version: v1, folders: usable };
}

async function prepareV2({ own, sessions, isTemporary, path }: Place, delegate?: Delegate): Promise<Prepared> {
  const [ours = '', folder = ''] = [own, sessions].map((each) => distinctFolders(each)[0]);
  await demandControllers(join(ours, 'cgroup.controllers'));
  await delegate?.(path);
  // Who runs on a laptop does not want its cgroups reconfigured; a container's are ours to configure.
  if (!isTemporary) await vacate(ours, (leaf) => enable(leaf));
  await demandControllers(join(ours, 'cgroup.subtree_control'));
  await mkdir(folder, { recursive: true });
  await enable(folder);
  return { version: v2, folders: sessions };
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
