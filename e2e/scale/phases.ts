import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from '../test/support/kubectl.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Pools } from './pools.ts';
import { Samples, writes } from './samples.ts';
import type { SimulatedAgents } from './simulated-agents.ts';

const MIB = 1024 * 1024;
/** A roll is 50 pods; one every so many steps of churn. */
const ROLL_EVERY = 10;
const PODS_A_STEP = 5;

/** From nothing to all pods ready. */
export async function measureRamp(operator: OperatorProcess, pools: Pools, agents: SimulatedAgents) {
  const before = await operator.samples();
  const startedAt = performance.now();
  await pools.apply();
  await pools.settled();
  const seconds = (performance.now() - startedAt) / 1000;
  while (agents.asked < pools.pods) await sleep(500);
  const after = await operator.samples();
  return { seconds, writesPerPod: (writes(after) - writes(before)) / pools.pods, ...costs(after) };
}

/** Nothing changes: what is asked all the same. */
export async function measureRest(operator: OperatorProcess, seconds: number) {
  // What the ramp left behind is over first.
  await sleep(10_000);
  const before = await operator.samples();
  await sleep(seconds * 1000);
  const after = await operator.samples();
  const cpu = after.sum('process_cpu_seconds_total') - before.sum('process_cpu_seconds_total');
  return { writes: writes(after) - writes(before), lists: lists(after) - lists(before), cpuShare: cpu / seconds };
}

/** Pods die, pools grow and shrink, templates change. */
export async function measureChurn(operator: OperatorProcess, pools: Pools, seconds: number) {
  const before = await operator.samples();
  const madeBefore = await podsMade();
  const memory: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let step = 0; performance.now() < end; step += 1) {
    const index = step % pools.count;
    await pools.deletePods(PODS_A_STEP);
    if (step % ROLL_EVERY === 0) await pools.roll(index, step + 1);
    else await pools.scale(index, pools.replicas + (step % 11) - 5);
    memory.push((await operator.samples()).sum('process_resident_memory_bytes') / MIB);
    await sleep(500);
  }
  for (let index = 0; index < pools.count; index += 1) await pools.scale(index, pools.replicas);
  await pools.settled();
  const after = await operator.samples();
  const made = (await podsMade()) - madeBefore;
  const third = Math.floor(memory.length / 3);
  return {
    steps: memory.length,
    podsMade: made,
    writesPerPod: (writes(after) - writes(before)) / made,
    lists: lists(after) - lists(before),
    firstThirdMiB: median(memory.slice(0, third)),
    lastThirdMiB: median(memory.slice(-third)),
    ...costs(after),
  };
}

/** Killed and started anew with all pods there. */
export async function measureRestart(
  operator: OperatorProcess,
  pools: Pools,
  agents: SimulatedAgents,
  startedAt: number,
) {
  const madeBefore = await podsMade();
  for (;;) {
    const samples = await operator.samples();
    const looked = samples.sum('controller_runtime_reconcile_total');
    if (looked >= pools.count && samples.sum('workqueue_depth') === 0 && agents.asked >= pools.pods) break;
    await sleep(200);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await operator.samples();
  return {
    seconds,
    podsMade: (await podsMade()) - madeBefore,
    writes: writes(after),
    lists: lists(after),
    ...costs(after),
  };
}

function costs(samples: Samples) {
  return {
    memoryMiB: samples.sum('process_resident_memory_bytes') / MIB,
    reconcileP50Ms: samples.quantile('controller_runtime_reconcile_time_seconds', 0.5) * 1000,
    reconcileP99Ms: samples.quantile('controller_runtime_reconcile_time_seconds', 0.99) * 1000,
  };
}

const lists = (samples: Samples): number => samples.sum('replpool_watch_lists_total');

/** As the API server itself counts them. */
async function podsMade(): Promise<number> {
  const samples = new Samples(await kubectl('get', '--raw', '/metrics'));
  return samples.sum('apiserver_request_total', { verb: 'POST', resource: 'pods', subresource: '', code: '201' });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
