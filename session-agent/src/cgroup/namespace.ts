import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OwnCgroup } from './cgroup-file.ts';
import type { CgroupMount } from './mounts.ts';

/**
 * In a cgroup namespace of its own (containerd on v2, unless privileged) a process sees its cgroup as `/`, and a mount of all cgroups as
 * `/../../..`: how deep it is, but not below which names (cgroup_namespaces(7)).
 * @returns undefined for a mount that does not reach above the namespace
 */
export function depthOf({ root }: CgroupMount): number | undefined {
  return /^(\/\.\.)+$/.test(root) ? root.length / 3 : undefined;
}

/** Our cgroups and their mounts by the names that the node has for them, as far as a mount shows them. */
export async function withoutNamespace(
  cgroups: readonly OwnCgroup[],
  mounts: readonly CgroupMount[],
): Promise<{ cgroups: readonly OwnCgroup[]; mounts: readonly CgroupMount[] }> {
  const named: OwnCgroup[] = [];
  const shown: CgroupMount[] = [...mounts];
  for (const cgroup of cgroups) {
    const isOfIt = (mount: CgroupMount) =>
      (cgroup.controllers.length === 0) === (mount.version === 'v2') &&
      cgroup.controllers.every((controller) => mount.controllers.includes(controller));
    const mount = shown.find((each) => isOfIt(each) && depthOf(each) !== undefined);
    const folder =
      cgroup.path === '/' && mount !== undefined ? await findOwn(mount.point, depthOf(mount) ?? 0) : undefined;
    if (mount === undefined || folder === undefined) {
      named.push(cgroup);
      continue;
    }
    named.push({ ...cgroup, path: folder.slice(mount.point.length) });
    // The others speak of the namespace's names.
    const others = shown.filter((each) => !isOfIt(each));
    shown.splice(0, shown.length, ...others, { ...mount, root: '/' });
  }
  return { cgroups: named, mounts: shown };
}

/** The folder so deep below another which holds this process: cgroup.procs shows each reader the pids of its own namespace. */
async function findOwn(folder: string, depth: number): Promise<string | undefined> {
  if (depth === 0) {
    const processes = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
    return processes.split('\n').includes(String(process.pid)) ? folder : undefined;
  }
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((each) => each.isDirectory())) {
    const found = await findOwn(join(folder, entry.name), depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
