import { isRecord } from '@replpool/kube';
import { ExitCode } from '../../failure.ts';
import { VERSION } from '../../version.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import { poolTable } from '../status/pool-text.ts';
import { poolView } from '../status/pool-view.ts';
import { bundle } from './bundle.ts';
import { Findings } from './findings.ts';
import { gatherDefinition, gatherNamespace, gatherNodes } from './gather-objects.ts';
import { gatherPods, type PodOptions } from './gather-pods.ts';
import { namespacesOf, type Scope, scopeOf } from './scope.ts';
import { demandNew, writeBundle } from './write-bundle.ts';

export interface ReportOptions extends ClusterOptions, PodOptions {
  /** A folder, or an archive by its name's end. */
  readonly output?: string;
  readonly releaseNamespace?: string;
}

/** `report`: what helps to see why something does not work, in one file, without secrets. */
export async function report(options: ReportOptions): Promise<ExitCode> {
  using cluster = Cluster.open(options, process.env);
  const now = new Date();
  const path = options.output ?? `replpool-report-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.tar.gz`;
  demandNew(path);
  // Where nobody answers, a bundle of refusals helps nobody.
  const server = await cluster.read('/version');
  const findings = new Findings();
  const scope = await scopeOf(cluster, findings, options.releaseNamespace);
  await gatherDefinition(cluster, findings);
  for (const namespace of namespacesOf(scope)) await gatherNamespace(cluster, findings, namespace);
  await gatherNodes(cluster, findings, [...scope.agents, ...scope.servers]);
  await gatherPods(cluster, findings, scope, options);
  findings.addText('versions.json', versions(server, scope));
  const table = { namespaces: true, wide: true, now: now.getTime() };
  findings.addText('status.txt', poolTable(scope.pools.map(poolView), table));
  const files = bundle(findings, namesIn(scope));
  await writeBundle(path, files);
  process.stdout.write(`${path}\n`);
  const { length } = findings.errors;
  if (length > 0) process.stderr.write(`replpool: ${length} things are not in it; its errors.txt says which and why\n`);
  return ExitCode.ok;
}

function versions(server: unknown, { agents, servers }: Scope): string {
  const containers = [...agents, ...servers].flatMap(({ spec }) => [...spec.initContainers, ...spec.containers]);
  const images = [...new Set(containers.map(({ image }) => image))].toSorted();
  const apiServer = isRecord(server) ? server.gitVersion : undefined;
  const { platform, arch, version: node } = process;
  return `${JSON.stringify({ replpool: VERSION, apiServer, images, node, platform, arch }, undefined, 2)}\n`;
}

/** Names of objects are no secrets, though a variable may have one as its value. */
function namesIn({ pools, agents, servers }: Scope): Set<string> {
  const objects = [...pools, ...agents, ...servers].map(({ metadata }) => metadata);
  const containers = [...agents, ...servers].flatMap(({ spec }) => spec.containers.map(({ name }) => name));
  return new Set([...objects.flatMap(({ name, namespace }) => [name, namespace]), ...containers]);
}
