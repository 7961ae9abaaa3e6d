import { dirname } from 'node:path';
import type { OwnCgroup } from './cgroup-file.ts';
import { type CgroupMount, folderOf } from './mounts.ts';

/** One tree of cgroups that we are in: the folder of our own cgroup, and of the one above it, where a mount shows them. */
export interface Hierarchy {
  readonly version: 'v1' | 'v2';
  readonly controllers: readonly string[];
  readonly own: string | undefined;
  readonly parent: string | undefined;
}

/**
 * The hierarchies of this process. In a pod there are several mounts of one: the container's own, whose root is the container's cgroup and
 * which shows nothing above it, and the node's, as a hostPath volume.
 */
export function hierarchiesOf(cgroups: readonly OwnCgroup[], mounts: readonly CgroupMount[]): readonly Hierarchy[] {
  return cgroups.map(({ controllers, path }) => {
    const version = controllers.length === 0 ? 'v2' : 'v1';
    const same = mounts.filter(
      (mount) => mount.version === version && controllers.every((name) => mount.controllers.includes(name)),
    );
    const above = path === '/' ? undefined : dirname(path);
    return {
      version,
      controllers,
      own: first(same, path),
      parent: above === undefined ? undefined : first(same, above),
    };
  });
}

function first(mounts: readonly CgroupMount[], cgroup: string): string | undefined {
  return mounts.map((mount) => folderOf(mount, cgroup)).find((folder) => folder !== undefined);
}
