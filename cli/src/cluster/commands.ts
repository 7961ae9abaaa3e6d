import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ExitCode } from '../failure.ts';
import { whole } from '../whole.ts';
import type { DrainOptions } from './drain/drain.ts';
import { outputFormats } from './output-format.ts';
import type { ReportOptions } from './report/report.ts';
import type { SessionsOptions } from './sessions/sessions.ts';
import type { StatusOptions } from './status/status.ts';

/** Where the chart's instructions install a release. */
const RELEASE_NAMESPACE = 'replpool-system';
const secondsOf = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

function duration(text: string): number {
  const found = /^(\d{1,6})([smhd])$/.exec(text);
  const size = secondsOf[(found?.[2] ?? 's') as keyof typeof secondsOf];
  if (found?.[1] === undefined || Number(found[1]) === 0)
    throw new InvalidArgumentError('is written as 90s, 30m, 24h or 7d.');
  return Number(found[1]) * size;
}

function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig (default: $KUBECONFIG or ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .option('-n, --namespace <name>', "namespace (default: the context's)");
}

function withNamespaces(command: Command): Command {
  return withCluster(command).option('-A, --all-namespaces', 'all namespaces', false);
}

function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how it is shown').choices(outputFormats).default('table'),
  );
}

/** The commands on a cluster. Each loads its own, and with it client-node, when it runs: the other commands start without. */
export function addClusterCommands(root: Command, isPlugin: boolean, finished: (code: ExitCode) => void): void {
  withOutput(withNamespaces(root.command('status')))
    .description('the pools of a namespace, or one with its conditions, pods and events')
    .argument('[pool]', 'name of a ReplPool')
    .option('--exit-code', 'exit status 1 unless every pool that is shown is ready', false)
    .action(async (pool: string | undefined, options: StatusOptions) => {
      const { status } = await import('./status/status.ts');
      finished(await status(pool, options));
    });

  addSessions(root, isPlugin, finished);

  withCluster(root.command('drain'))
    .description("tells a pod's agent to take no new sessions; the operator replaces it")
    .argument('<pod>', 'name of a pod of a ReplPool')
    .option(
      '--timeout <seconds>',
      "when the pod is deleted at the latest (default: the pool's update.drainSeconds)",
      whole(0, 86_400),
    )
    .option('--wait', 'wait until the pod is gone', false)
    .action(async (pod: string, options: DrainOptions) => {
      const { drain } = await import('./drain/drain.ts');
      finished(await drain(pod, options));
    });

  withNamespaces(root.command('report'))
    .description('gathers objects, logs and metrics for whoever is to help, without secrets')
    .option('-o, --output <path>', 'folder, or archive if it ends with .tar.gz (default: replpool-report-TIME.tar.gz)')
    .option('--since <duration>', 'logs of this long, as 30m or 7d', duration, 86_400)
    .option(
      '--max-agents <count>',
      'agents whose logs and metrics are taken, those with trouble first',
      whole(0, 10_000),
      20,
    )
    .option('--release-namespace <name>', 'namespace of operator and routers (default: all are searched)')
    .action(async ({ since, ...options }: Omit<ReportOptions, 'sinceSeconds'> & { since: number }) => {
      const { report } = await import('./report/report.ts');
      finished(await report({ ...options, sinceSeconds: since }));
    });
}

type SessionsFlags = Omit<SessionsOptions, 'inCluster'>;

function addSessions(root: Command, isPlugin: boolean, finished: (code: ExitCode) => void): void {
  const where = isPlugin
    ? "the router's address (default: a port-forward to one of its pods)"
    : 'where the service is (default: $REPLPOOL_URL or http://127.0.0.1:8080; with an option of the cluster: its router)';
  withOutput(withNamespaces(root.command('sessions')))
    .description('the sessions that you may see, from the service itself')
    .option('--pool <name>', 'only of this pool')
    .option('--url <url>', where)
    .option('--api-key-file <file>', 'file with a key or token (default: the one in $REPLPOOL_API_KEY)')
    .option('--api-key <key>', 'the key or token itself; others on this machine can see it while the command runs')
    .option(
      '--as-service-account <name>',
      'be this service account of the namespace; needs create on serviceaccounts/token',
    )
    .option('--audience <name>', 'audience that tokens are made out to, as the release has it', 'replpool')
    .option('--release-namespace <name>', 'namespace of the routers', RELEASE_NAMESPACE)
    .option('--release <name>', 'which release, where the namespace has several')
    .action(async (flags: SessionsFlags, command: Command) => {
      const { sessions } = await import('./sessions/sessions.ts');
      finished(await sessions({ ...flags, inCluster: flags.url === undefined && (isPlugin || namesCluster(command)) }));
    });
}

/** `replpool sessions` is about the service that `run` and `repl` speak to, unless an option is about a cluster. */
function namesCluster(command: Command): boolean {
  const options = [
    'kubeconfig',
    'context',
    'namespace',
    'allNamespaces',
    'asServiceAccount',
    'releaseNamespace',
    'release',
  ];
  return options.some((name) => command.getOptionValueSource(name) === 'cli');
}
