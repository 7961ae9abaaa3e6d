import type { Session } from '@replpool/protocol';
import { HttpClient } from '../../client/http-client.ts';
import { ExitCode } from '../../failure.ts';
import { type TargetOptions, target } from '../../target.ts';
import { age } from '../age.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import { rendered } from '../output.ts';
import type { OutputFormat } from '../output-format.ts';
import { table } from '../table.ts';
import { bearerToken, type IdentityOptions } from './identity.ts';
import { listSessions } from './list-sessions.ts';
import { routerGet } from './router-get.ts';
import { findRouter, type ReleaseOptions } from './router-pod.ts';

export interface SessionsOptions
  extends ClusterOptions,
    TargetOptions,
    ReleaseOptions,
    Omit<IdentityOptions, 'apiKey'> {
  readonly output: OutputFormat;
  readonly pool?: string;
  /** Asks the cluster's router, not a service that has an address of its own. */
  readonly inCluster: boolean;
}

/** `sessions`: those that the caller may see, as the service itself tells. */
export async function sessions(options: SessionsOptions): Promise<ExitCode> {
  const found = options.inCluster ? await ofCluster(options) : await ofService(options);
  const { output } = options;
  if (found.length === 0 && (output === 'table' || output === 'wide')) {
    process.stderr.write('There is no session that you may see.\n');
    return ExitCode.ok;
  }
  process.stdout.write(rendered(output, { items: found }, (wide) => sessionTable(found, wide, Date.now())));
  return ExitCode.ok;
}

async function ofService(options: SessionsOptions): Promise<Session[]> {
  const http = new HttpClient(target(options, process.env));
  return await listSessions((path) => http.get(path), options.pool);
}

async function ofCluster(options: SessionsOptions): Promise<Session[]> {
  using cluster = Cluster.open(options, process.env);
  // The URL is not used: the router's is its pod's.
  const { apiKey } = target(options, process.env);
  const router = await findRouter(cluster, options);
  const get = routerGet(cluster, router, await bearerToken(cluster, { ...options, apiKey }));
  const { scope } = cluster;
  const { pool } = options;
  // A pool that is written with its namespace needs no other.
  if (pool?.includes(':') || scope === undefined) return await listSessions(get, pool);
  const found = await listSessions(get, pool === undefined ? undefined : `${scope}:${pool}`);
  return found.filter((session) => session.pool.startsWith(`${scope}:`));
}

export function sessionTable(found: readonly Session[], wide: boolean, now: number): string {
  const columns: [string, (session: Session) => string][] = [
    ['ID', ({ id }) => id],
    ['POOL', ({ pool }) => pool],
    ['STATE', ({ state }) => state],
    ['POD', ({ pod }) => pod],
    ['EXECUTIONS', ({ executionCount }) => String(executionCount)],
    ['IDLE', ({ state, lastActivityAt }) => (state === 'busy' ? '-' : age(lastActivityAt, now))],
    ['AGE', ({ createdAt }) => age(createdAt, now)],
  ];
  if (wide) {
    columns.push(
      ['NAME', ({ name }) => name ?? '-'],
      ['TEMPLATE', ({ template }) => template],
      [
        'MEMORY',
        ({ usage }) => (usage.memoryBytes === undefined ? '-' : `${Math.ceil(usage.memoryBytes / 2 ** 20)}Mi`),
      ],
      ['ISOLATION', ({ isolation }) => isolation.effective],
    );
  }
  return table(
    columns.map(([name]) => name),
    found.map((session) => columns.map(([, cell]) => cell(session))),
  );
}
