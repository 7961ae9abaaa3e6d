import { keyedNumber } from './cgroup-file.ts';
import { type CgroupVersion, CPU_PERIOD_US, cpuQuotaUs } from './version.ts';

/** https://docs.kernel.org/admin-guide/cgroup-v2.html */
export const v2: CgroupVersion = {
  version: 'v2',
  limitFiles: ({ memoryBytes, cores, processes }) => [
    // A kernel without swap has no such file.
    { controller: 'memory', file: 'memory.swap.max', value: '0', optional: true },
    // All of the session or nothing: a worker that lost a child to the kernel would go on in an unknown state.
    { controller: 'memory', file: 'memory.oom.group', value: '1' },
    { controller: 'memory', file: 'memory.max', value: String(memoryBytes) },
    { controller: 'cpu', file: 'cpu.max', value: `${cpuQuotaUs(cores)} ${CPU_PERIOD_US}` },
    { controller: 'pids', file: 'pids.max', value: String(processes) },
  ],
  oomFile: 'memory.events',
  killAlone: [{ controller: 'memory', file: 'memory.oom.group', value: '0' }],
  memory: { controller: 'memory', file: 'memory.current', read: Number },
  // Since Linux 5.19.
  peak: { controller: 'memory', file: 'memory.peak', read: Number },
  cpuMs: {
    controller: 'cpu',
    file: 'cpu.stat',
    read: (text) => {
      const us = keyedNumber(text, 'usage_usec');
      return us === undefined ? undefined : us / 1000;
    },
  },
};
