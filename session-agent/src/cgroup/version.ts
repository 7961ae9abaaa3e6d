/** The controllers that we use. v2 counts cpu time itself; v1 has a controller for it, which may be mounted with `cpu` or by itself. */
export type Controller = 'memory' | 'cpu' | 'pids' | 'cpuacct';

/** Without these the limits do not hold. */
export const LIMITING: readonly Controller[] = ['memory', 'cpu', 'pids'];

/** What a session may use. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly cores: number;
  /** Processes and threads. */
  readonly processes: number;
}

/** One value to write. */
export interface LimitFile {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** Not there on every kernel; without it the others hold all the same. */
  readonly optional?: true;
  /** Refused with EINVAL where a cgroup above has a lower limit, which then is the one that holds. */
  readonly boundedAbove?: true;
}

export interface UsageFile {
  readonly controller: Controller;
  readonly file: string;
  read(text: string): number | undefined;
}

/** How one version of cgroups writes what both can: the files, and what stands in them. */
export interface CgroupVersion {
  readonly version: 'v1' | 'v2';
  /** In the order in which they have to be written. */
  limitFiles(limits: CgroupLimits): readonly LimitFile[];
  /** A flat keyed file of the memory controller with `oom_kill`: processes of this cgroup that the kernel killed for want of memory. */
  readonly oomFile: string;
  /** What makes the kernel kill one process for want of memory and not all of the cgroup, where that is otherwise. */
  readonly killAlone: readonly LimitFile[];
  readonly memory: UsageFile;
  readonly peak: UsageFile;
  readonly cpuMs: UsageFile;
}

/** The kernel's default; a quota is so much of it as the session may run. */
export const CPU_PERIOD_US = 100_000;
/** The kernel refuses a smaller quota. */
const SMALLEST_QUOTA_US = 1000;

export function cpuQuotaUs(cores: number): number {
  return Math.max(SMALLEST_QUOTA_US, Math.round(cores * CPU_PERIOD_US));
}
