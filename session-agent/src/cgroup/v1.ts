import { type CgroupVersion, CPU_PERIOD_US, cpuQuotaUs } from './version.ts';

/** https://docs.kernel.org/admin-guide/cgroup-v1/ */
export const v1: CgroupVersion = {
  version: 'v1',
  limitFiles: ({ memoryBytes, cores, processes }) => [
    { controller: 'memory', file: 'memory.limit_in_bytes', value: String(memoryBytes) },
    // Memory and swap together; never below the limit of memory, so after it. Not there without swap accounting.
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: String(memoryBytes), optional: true },
    { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_US) },
    { controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(cpuQuotaUs(cores)), boundedAbove: true },
    { controller: 'pids', file: 'pids.max', value: String(processes) },
  ],
  oomFile: 'memory.oom_control',
  killAlone: [],
  memory: { controller: 'memory', file: 'memory.usage_in_bytes', read: Number },
  peak: { controller: 'memory', file: 'memory.max_usage_in_bytes', read: Number },
  cpuMs: { controller: 'cpuacct', file: 'cpuacct.usage', read: (text) => Number(text) / 1e6 },
};
