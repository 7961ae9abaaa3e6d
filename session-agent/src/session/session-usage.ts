import type { Session as SessionResource, Usage } from '@replpool/protocol';
import type { CgroupUsage } from '../cgroup/cgroup.ts';

/** What a session used: its executions by their workers' word, and all of its processes by the count of their cgroups. */
export class SessionUsage {
  /** Of workers that are gone. */
  #pastCpuMs = 0;
  #present: CgroupUsage = {};

  /** What the cgroup of the present worker counts. */
  measured(usage: CgroupUsage): void {
    this.#present = usage;
  }

  /** The worker is gone. @param cpuMs what its cgroup counted; undefined without one */
  workerEnded(cpuMs: number | undefined): void {
    this.#pastCpuMs += cpuMs ?? 0;
    this.#present = {};
  }

  of(executions: Usage): SessionResource['usage'] {
    const { memoryBytes, peakBytes, cpuMs = 0 } = this.#present;
    return {
      ...executions,
      // The cgroup sees threads and children between executions too; but it was not asked since the last of them.
      cpuMs: Math.max(executions.cpuMs, this.#pastCpuMs + cpuMs),
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(peakBytes !== undefined && { memoryPeakBytes: peakBytes }),
    };
  }
}
