import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { bench } from './bench.ts';
import { measures, measuresNamed } from './measures/index.ts';
import type { Measure } from './measures/measure.ts';
import { reason } from './run-measure.ts';

const status = { wrongUse: 2, interrupted: 130 } as const;

function only(text: string): readonly Measure[] {
  try {
    return measuresNamed(text.split(',').map((name) => name.trim()));
  } catch (error) {
    throw new InvalidArgumentError(reason(error));
  }
}

const program = new Command('npm run bench --')
  .description('Measures ReplPool as a client sees it: starts `replpool dev`, and ends it.')
  .option('--smoke', 'few repeats; floors are only shown, errors and lost bytes still count')
  .option('--only <names>', 'these measures, separated by commas (default: all)', only)
  .addHelpText('after', `\nMeasures:\n${measures.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join('\n')}`)
  .exitOverride();

async function main(): Promise<number> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end.abort());
  try {
    const { smoke = false, only: chosen = measures } = program
      .parse()
      .opts<{ smoke?: boolean; only?: readonly Measure[] }>();
    return await bench({ measures: chosen, size: smoke ? 'smoke' : 'full', signal: end.signal });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : status.wrongUse;
    if (end.signal.aborted) return status.interrupted;
    process.stderr.write(`bench: ${reason(error)}\n`);
    return 1;
  }
}

process.exitCode = await main();
// An idle keep-alive socket must not hold the process.
process.exit();
