// `npm run scale`: what the operator costs with 100 pools and 5,000 simulated pods. See docs/scale.md.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { ApiClient } from '@replpool/kube';
import { kubeConfig } from '../test/support/cluster.ts';
import { applyCrd } from '../test/support/crd.ts';
import { beyondGoals } from './goals.ts';
import { OperatorProcess } from './operator-process.ts';
import { measureChurn, measureRamp, measureRest, measureRestart } from './phases.ts';
import { Pools } from './pools.ts';
import { SimulatedAgents } from './simulated-agents.ts';
import { SimulatedNodes } from './simulated-nodes.ts';
import { table } from './table.ts';

const { values } = parseArgs({
  options: {
    pools: { type: 'string', default: '100' },
    pods: { type: 'string', default: '5000' },
    'churn-seconds': { type: 'string', default: '180' },
  },
});
const count = { pools: Number(values.pools), pods: Number(values.pods) };
const POD_ROOM = 250;
const HEALTH_PORT = 19_090;

await applyCrd();
using client = new ApiClient(kubeConfig);
await using agents = await SimulatedAgents.start(client);
await using _nodes = await SimulatedNodes.start(Math.ceil((count.pods * 1.2) / POD_ROOM), POD_ROOM);
await using pools = await Pools.create(
  `scale-${randomBytes(3).toString('hex')}`,
  count.pools,
  count.pods / count.pools,
);

let operator = await OperatorProcess.start(pools.releaseNamespace, 'first', HEALTH_PORT);
try {
  const ramp = await measureRamp(operator, pools, agents);
  const rest = await measureRest(operator, 30);
  const churn = await measureChurn(operator, pools, Number(values['churn-seconds']));
  await operator.kill();
  agents.forgetAsked();
  const startedAt = performance.now();
  operator = await OperatorProcess.start(pools.releaseNamespace, 'second', HEALTH_PORT);
  const restart = await measureRestart(operator, pools, agents, startedAt);
  const phases = { ramp, rest, churn, restart };
  process.stdout.write(`${JSON.stringify({ ...count, ...phases })}\n${table(phases)}\n`);
  const beyond = beyondGoals(phases);
  for (const each of beyond) process.stdout.write(`beyond the goal: ${each}\n`);
  if (beyond.length > 0) process.exitCode = 1;
} finally {
  await operator[Symbol.asyncDispose]();
}
