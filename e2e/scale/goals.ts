import type { measureChurn, measureRamp, measureRest, measureRestart } from './phases.ts';

export interface Phases {
  readonly ramp: Awaited<ReturnType<typeof measureRamp>>;
  readonly rest: Awaited<ReturnType<typeof measureRest>>;
  readonly churn: Awaited<ReturnType<typeof measureChurn>>;
  readonly restart: Awaited<ReturnType<typeof measureRestart>>;
}

const MAX_WRITES_PER_POD = 2;
const MAX_MEMORY_MIB = 300;
/** Between the first and the last third of the churn: what a collector of garbage leaves to chance. */
const MAX_GROWTH = 1.15;
/** Pools and pods, once each. */
const LISTS_AT_START = 2;

/** What of the goals of issue 4 was missed, in words. */
export function beyondGoals({ ramp, rest, churn, restart }: Phases): string[] {
  const memory = Math.max(ramp.memoryMiB, churn.memoryMiB, churn.lastThirdMiB, restart.memoryMiB);
  const checks: readonly (readonly [boolean, string])[] = [
    [ramp.writesPerPod <= MAX_WRITES_PER_POD, `${ramp.writesPerPod.toFixed(2)} writes a pod`],
    [memory <= MAX_MEMORY_MIB, `${memory.toFixed(0)} MiB of memory`],
    [churn.lastThirdMiB <= churn.firstThirdMiB * MAX_GROWTH, 'memory grows under churn'],
    [rest.lists + churn.lists === 0, `${rest.lists + churn.lists} lists while watches were open`],
    [restart.lists <= LISTS_AT_START, `${restart.lists} lists at a restart`],
    [restart.podsMade === 0, `${restart.podsMade} pods made by a restart alone`],
  ];
  return checks.filter(([holds]) => !holds).map(([, text]) => text);
}
