import { dirname } from 'node:path';
import type { OwnCgroup } from './cgroup-file.ts';
import { type CgroupMount, folderOf } from './mounts.ts';

/** One tree of cgroups that we are in, and where our own cgroup stands in it. */
export interface Hierarchy {
  readonly version: 'v1' | 'v2';
  readonly controllers: readonly string[];
  /** The folder of our own cgroup; undefined where no mount shows it. */
  readonly own: string | undefined;
  /** Its path below the point of that mount, such as `/kubepods/pod1/c1`; empty where it is the mount's root. */
  readonly path: string;
}

/**
 * The hierarchies of this process. In a pod there may be several mounts of one: the container's own, whose root is the container's cgroup and
 * which is read-only, and the node's, as a hostPath volume. Of such the one that shows what is above us is taken.
 */
export function hierarchiesOf(cgroups: readonly OwnCgroup[], mounts: readonly CgroupMount[]): readonly Hierarchy[] {
  return cgroups.map(({ controllers, path }) => {
    const version = controllers.length === 0 ? 'v2' : 'v1';
    const showing = mounts.filter(
      (mount) =>
        mount.version === version &&
        controllers.every((name) => mount.controllers.includes(name)) &&
        folderOf(mount, path) !== undefined,
    );
    const mount = showing.find((each) => path !== '/' && folderOf(each, dirname(path)) !== undefined) ?? showing[0];
    const own = mount && folderOf(mount, path);
    return { version, controllers, own, path: mount && own !== undefined ? own.slice(mount.point.length) : '' };
  });
}
