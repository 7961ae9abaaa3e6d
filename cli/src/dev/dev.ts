import type { AuthConfig } from '@replpool/protocol';
import { ExitCode, wrongUse } from '../failure.ts';
import { AgentProcess } from './agent-process.ts';
import { readAuth } from './api-keys.ts';
import { banner } from './banner.ts';
import { preparePython } from './environment.ts';
import { environmentsFolder } from './environment-folder.ts';
import { fromCluster } from './from-cluster.ts';
import { folderOf, type PoolFile, readPool } from './pool-file.ts';
import { demandFreePort } from './port.ts';
import { findPython } from './python.ts';
import { RouterProcess } from './router-process.ts';
import { makeRunDirectory } from './run-directory.ts';
import { unenforced } from './unenforced.ts';
import { findWorker } from './worker-source.ts';

export interface DevOptions {
  readonly file?: string;
  readonly port: number;
  readonly agents?: number;
  readonly apiKeys?: string;
  readonly verbose: boolean;
}

function demandLinux(): void {
  if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) return;
  throw wrongUse(
    `replpool dev needs Linux on x64 or arm64, and this is ${process.platform} on ${process.arch}`,
    'use WSL2 on Windows, a Linux container or machine elsewhere; run and repl work from here against one',
  );
}

function progress(line: string): void {
  process.stderr.write(`· ${line}\n`);
}

function demandEnforceable(file: PoolFile): void {
  const field = unenforced(file.pool);
  if (field === undefined) return;
  throw wrongUse(
    `${file.path}: ${field} is asked for, and nothing enforces it here`,
    'leave the field out (isolation.level is then None) and run only code that you trust',
  );
}

function demandOwnValues(file: PoolFile): void {
  const field = fromCluster(file.pool);
  if (field === undefined) return;
  throw wrongUse(
    `${file.path}: ${field} names a Secret or ConfigMap, which only a cluster has`,
    'give the variable a `value` for use here, or set `optional: true`',
  );
}

async function serve(options: DevOptions, file: PoolFile, auth: AuthConfig, signal: AbortSignal): Promise<void> {
  const { pool } = file;
  const name = pool.metadata.name;
  const { autoscaling, replicas } = pool.spec;
  const count = options.agents ?? Math.max(1, autoscaling?.minReplicas ?? replicas);
  const python = await preparePython({
    recipe: {
      python: await findPython(process.env),
      worker: await findWorker(),
      requirements: pool.spec.runtime.requirements,
      folder: folderOf(file),
    },
    folder: await environmentsFolder(process.env),
    signal,
    progress,
  });
  // While all ends, the parts complain of each other's end.
  const log = (line: string): void => {
    if (!signal.aborted) process.stderr.write(`${line}\n`);
  };
  await using directory = await makeRunDirectory();
  signal.throwIfAborted();
  await using router = new RouterProcess({ port: options.port, verbose: options.verbose, auth, log });
  const port = await router.listening(signal);
  progress(`router on 127.0.0.1:${port}; warming ${count === 1 ? 'the zygote' : `the zygotes of ${count} agents`}`);

  const agents = Array.from(
    { length: count },
    (_, n) =>
      new AgentProcess({
        ...{ pool: name, pod: `${name}-${n}`, spec: pool.spec, python, runDirectory: `${directory.path}/${n}` },
        ...{ verbose: options.verbose, log, changed: () => router.list(agents.flatMap((agent) => agent.entry ?? [])) },
      }),
  );
  await using scope = new AsyncDisposableStack();
  // Together, not one after the other: the whole shutdown stays under one grace period.
  scope.defer(async () => {
    await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
  });
  const warmed = await Promise.allSettled(
    agents.map(async (agent) => {
      await agent.start(signal);
      // Or the first request after the banner could come before the agent's word to the router.
      await router.knows(agent.pod, signal);
    }),
  );
  signal.throwIfAborted();
  const failures = warmed.filter((result) => result.status === 'rejected');
  if (failures.length === count) throw failures[0]?.reason;

  const url = `http://127.0.0.1:${port}`;
  const capacity = count * pool.spec.sessions.maxPerPod;
  process.stdout.write(banner({ url, pool: name, agents: count, capacity, keys: auth.mode === 'apiKeys' }));
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  progress('shutting down');
}

/** `replpool dev`: serves until the signal, then ends every process it started. */
export async function dev(options: DevOptions, signal: AbortSignal): Promise<ExitCode> {
  demandLinux();
  const file = await readPool(options.file);
  demandEnforceable(file);
  demandOwnValues(file);
  const auth = await readAuth(options.apiKeys);
  await demandFreePort(options.port);
  try {
    await serve(options, file, auth, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return ExitCode.ok;
}
