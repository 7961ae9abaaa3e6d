/**
 * Our cgroups as /proc/self/cgroup names them: `4:memory:/pod/container` of v1, `0::/pod/container` of v2 (no controllers).
 * See cgroups(7).
 */
export interface OwnCgroup {
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Parses /proc/self/cgroup. Named v1 hierarchies without controllers (`name=systemd`) are left out. */
export function parseOwnCgroups(text: string): readonly OwnCgroup[] {
  return text.split('\n').flatMap((line) => {
    // A path may have colons, a controller has none.
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match === null) return [];
    const controllers = match[1] === '' ? [] : (match[1] ?? '').split(',');
    return controllers.some((name) => name.startsWith('name=')) ? [] : [{ controllers, path: match[2] ?? '/' }];
  });
}

/** The number behind a key of a flat keyed file (`oom_kill 2`); undefined where the key is not there. */
export function keyedNumber(text: string, key: string): number | undefined {
  for (const line of text.split('\n')) {
    const [name, value] = line.split(' ');
    if (name === key && value !== undefined) return Number(value);
  }
  return undefined;
}

/**
 * The processes of a cgroup.procs that may be signalled. Of another pid namespace they are shown as 0, which kill(2) takes for our own
 * process group.
 */
export function parseProcesses(text: string): readonly number[] {
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 1);
}
