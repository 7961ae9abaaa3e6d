import { pathOf, resources } from '@replpool/kube';
import type { Cluster } from './cluster.ts';
import type { SeenPod } from './objects.ts';

/** Names of the plain port with /healthz, /readyz and /metrics: of agents, and of routers and operators. */
const PORT_NAMES = ['health', 'metrics'];
const TIMEOUT_MS = 5_000;
const BYTES = 8 * 1024 * 1024;

/** What a pod's /metrics say, by way of the API server; undefined where it has no port for them. @throws CommandFailure */
export async function podMetrics(cluster: Cluster, pod: SeenPod): Promise<string | undefined> {
  const { namespace, name } = pod.metadata;
  const ports = pod.spec.containers.flatMap((container) => container.ports);
  const port = ports.find((each) => PORT_NAMES.includes(each.name))?.containerPort;
  if (port === undefined) return undefined;
  const proxy = pathOf(resources.pods, { namespace, name: `${name}:${port}`, subresource: 'proxy' });
  const asked = { verb: 'get', resource: 'pods/proxy', namespace, name } as const;
  return await cluster.tail({ path: `${proxy}/metrics`, timeoutMs: TIMEOUT_MS }, asked, BYTES);
}

/** The sum of a metric's samples in the text format of Prometheus; undefined where the metric is not there at all. */
export function sumOf(text: string, metric: string): number | undefined {
  const lines = text.split('\n');
  if (!lines.some((line) => line.startsWith(`# TYPE ${metric} `))) return undefined;
  return lines.reduce((total, line) => {
    const sample = /^(\w+)(?:\{.*\})? (\S+)/.exec(line);
    return sample?.[1] === metric ? total + Number(sample[2]) : total;
  }, 0);
}
