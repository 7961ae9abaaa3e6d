import { Command, CommanderError, Option } from 'commander';
import { addClusterCommands } from './cluster/commands.ts';
import { ExitCode, exitCodeOf, failureText } from './failure.ts';
import { endSignal } from './signals.ts';
import { type TargetOptions, target } from './target.ts';
import { VERSION } from './version.ts';
import { whole } from './whole.ts';

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

interface CommandOptions extends TargetOptions {
  pool?: string;
}

function withTarget(command: Command): Command {
  return command
    .option('--url <url>', 'where the service is (default: $REPLPOOL_URL or http://127.0.0.1:8080)')
    .option('--api-key-file <file>', 'file with the key of the service (default: the key in $REPLPOOL_API_KEY)')
    .option('--api-key <key>', 'the key itself; others on this machine can see it while the command runs')
    .option('--pool <name>', 'pool of the session (default: the default pool)');
}

/** How the command was called: by its own name, or as kubectl's plugin, which has the commands on a cluster alone. */
export type Name = 'replpool' | 'kubectl replpool';

function program(name: Name, finished: (code: ExitCode) => void): Command {
  const isPlugin = name === 'kubectl replpool';
  const root = new Command(name)
    .description('Stateful code sessions as a service.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError(`(${name} --help shows what there is)`);
  if (!isPlugin) addOwnCommands(root, finished);
  addClusterCommands(root, isPlugin, finished);
  return root;
}

function addOwnCommands(root: Command, finished: (code: ExitCode) => void): void {
  root
    .command('dev')
    .description('router and agents on this machine, from the ReplPool file that a cluster takes')
    .option('-f, --file <pool.yaml>', 'ReplPool file (default: the example python.yaml)')
    .option('--port <port>', 'port on 127.0.0.1, 0 picks a free one', whole(0, 65_535), 8080)
    .option('--agents <count>', 'number of agents (default: spec.replicas)', whole(1, 64))
    .option('--api-keys <file>', 'demand keys: a JSON file, list of {name, sha256, admin?}')
    .option('--verbose', 'show every log line of router and agents', false)
    .action(async (options: { file?: string; port: number; agents?: number; apiKeys?: string; verbose: boolean }) => {
      // Each command loads only its own: run and repl need neither router nor agent.
      const { dev } = await import('./dev/dev.ts');
      using end = endSignal();
      finished(await dev(options, end.signal));
    });

  withTarget(root.command('run'))
    .description('runs a file in a session of its own')
    .argument('<file>', 'Python file, - reads the code from stdin')
    .option('--file <path>', 'uploads a file to the working folder (repeatable)', collect, [])
    .option('--timeout <seconds>', 'ends the code after this time', whole(1, 86_400))
    .action(async (file: string, options: CommandOptions & { file: string[]; timeout?: number }) => {
      const { run } = await import('./run/run.ts');
      finished(await run({ ...options, code: file, files: options.file, target: target(options, process.env) }));
    });

  withTarget(root.command('repl'))
    .description('an interactive prompt on a session; %help there shows what it does besides Python')
    .option('--keep-snapshots <count>', 'so many statements can be undone (default: as the pool says)', whole(0, 1_000))
    .addOption(
      new Option('--session <id>', 'a session that is there, and stays there').conflicts(['pool', 'keepSnapshots']),
    )
    .action(async (options: CommandOptions & { keepSnapshots?: number; session?: string }) => {
      const { repl } = await import('./repl/repl.ts');
      finished(await repl({ ...options, target: target(options, process.env) }));
    });
}

/** Runs one command line; resolves with the exit status and has told the user what was wrong. */
export async function execute(args: readonly string[], name: Name = 'replpool'): Promise<ExitCode> {
  let code: ExitCode = ExitCode.ok;
  try {
    await program(name, (result) => {
      code = result;
    }).parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.wrongUse;
    process.stderr.write(failureText(error));
    return exitCodeOf(error);
  }
}
