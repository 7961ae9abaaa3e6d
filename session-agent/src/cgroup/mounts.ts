import { join } from 'node:path';

/** A mount of cgroups; `root` is the cgroup that stands at `point`. */
export interface CgroupMount {
  readonly version: 'v1' | 'v2';
  /** Of v1: the controllers of this hierarchy. */
  readonly controllers: readonly string[];
  readonly root: string;
  readonly point: string;
}

/** The mounts of cgroups in a /proc/self/mountinfo (proc_pid_mountinfo(5)), in its order. */
export function parseCgroupMounts(mountinfo: string): readonly CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = (before ?? '').split(' ');
    const [type, , options] = (after ?? '').split(' ');
    if (root === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    const version = type === 'cgroup2' ? 'v2' : 'v1';
    const controllers = version === 'v2' ? [] : (options ?? '').split(',').filter((each) => !NO_CONTROLLER.test(each));
    return [{ version, controllers, root: unescaped(root), point: unescaped(point) }];
  });
}

const NO_CONTROLLER = /^(rw|ro|xattr|noprefix|clone_children|.*=.*)$/;

/** Blanks, tabs, line ends and backslashes stand there as `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The folder in which a mount shows a cgroup; undefined where it shows only others. */
export function folderOf({ root, point }: CgroupMount, cgroup: string): string | undefined {
  if (root === '/') return join(point, cgroup);
  if (cgroup !== root && !cgroup.startsWith(`${root}/`)) return undefined;
  return join(point, cgroup.slice(root.length));
}
