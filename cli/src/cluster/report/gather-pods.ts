import { pathOf, resources } from '@replpool/kube';
import type { Cluster } from '../cluster.ts';
import { inParallel } from '../in-parallel.ts';
import { isReady, type SeenPod } from '../objects.ts';
import { podMetrics } from '../pod-metrics.ts';
import type { Findings } from './findings.ts';
import type { Scope } from './scope.ts';

/** Of one container: the end of its log. */
const LOG_BYTES = 2 * 1024 * 1024;
const LOG_LINES = 20_000;
const AT_ONCE = 4;

export interface PodOptions {
  readonly sinceSeconds: number;
  /** Agents with logs and metrics; a pool of thousands has no more to tell than some of them. */
  readonly maxAgents: number;
}

/** Logs and metrics of operator, routers and agents. */
export async function gatherPods(
  cluster: Cluster,
  findings: Findings,
  scope: Scope,
  options: PodOptions,
): Promise<void> {
  const agents = scope.agents.toSorted(byTrouble);
  const asked = agents.slice(0, options.maxAgents);
  if (agents.length > asked.length) {
    findings.errors.push(
      `logs and metrics of ${agents.length - asked.length} agents: left out, those with trouble came first; --max-agents N takes more`,
    );
  }
  await inParallel(AT_ONCE, [...scope.servers, ...asked], (pod) => gatherPod(cluster, findings, pod, options));
}

/** Those that do not serve first, then those that were restarted most. */
function byTrouble(a: SeenPod, b: SeenPod): number {
  return Number(isReady(a)) - Number(isReady(b)) || restarts(b) - restarts(a);
}

const restarts = ({ status }: SeenPod): number =>
  [...status.initContainerStatuses, ...status.containerStatuses].reduce((total, it) => total + it.restartCount, 0);

async function gatherPod(cluster: Cluster, findings: Findings, pod: SeenPod, options: PodOptions): Promise<void> {
  const { namespace, name } = pod.metadata;
  const folder = `namespaces/${namespace}/pods/${name}`;
  for (const { container, previous } of logsOf(pod)) {
    const file = `${folder}/${container}${previous ? '.previous' : ''}.log`;
    const path = pathOf(resources.pods, { namespace, name, subresource: 'log' });
    // The end of the run before is what counts, however long ago it was.
    const since = previous ? {} : { sinceSeconds: options.sinceSeconds };
    const query = { container, previous, timestamps: true, tailLines: LOG_LINES, ...since };
    const asked = { verb: 'get', resource: 'pods/log', namespace, name } as const;
    const text = await findings.attempt(file, () => cluster.tail({ path, query }, asked, LOG_BYTES));
    findings.addText(file, text ?? '');
  }
  if (pod.status.phase !== 'Running') return;
  const file = `${folder}/metrics.txt`;
  findings.addText(file, (await findings.attempt(file, () => podMetrics(cluster, pod))) ?? '');
}

/** One that has not run yet has no log, and asking for it is an error. */
function logsOf({ status }: SeenPod): { container: string; previous: boolean }[] {
  return [...status.initContainerStatuses, ...status.containerStatuses].flatMap(({ name, state, restartCount }) => {
    const hasRun = state.waiting === undefined || restartCount > 0;
    return [
      ...(hasRun ? [{ container: name, previous: false }] : []),
      ...(restartCount > 0 ? [{ container: name, previous: true }] : []),
    ];
  });
}
