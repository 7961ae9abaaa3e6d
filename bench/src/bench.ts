import { HttpClient } from './client/http-client.ts';
import { expectOutcome } from './client/message.ts';
import { BenchSession } from './client/session.ts';
import type { Measure, Size } from './measures/measure.ts';
import { hostFacts } from './report/machine.ts';
import { exitStatus, type MeasureReport, type Report } from './report/report.ts';
import { writeResults } from './report/results-file.ts';
import { table } from './report/table.ts';
import { runMeasure } from './run-measure.ts';
import { poolFile } from './service/pool-file.ts';
import { Service } from './service/service.ts';

const agents = 2;

export interface BenchOptions {
  readonly measures: readonly Measure[];
  readonly size: Size;
  readonly signal: AbortSignal;
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function pythonFacts(service: Service, signal: AbortSignal): Promise<string> {
  await using http = new HttpClient(service.url, signal);
  await using session = await BenchSession.create(http);
  const outcome = await session.execute(`import platform, numpy, pandas
f"{platform.python_version()}, numpy {numpy.__version__}, pandas {pandas.__version__}"`);
  expectOutcome(outcome);
  return outcome.result?.replaceAll("'", '') ?? 'unknown';
}

/** Starts the service, runs the measures one after the other, shows and stores what they found. @returns the exit status */
export async function bench({ measures, size, signal }: BenchOptions): Promise<0 | 1> {
  const startedAt = new Date().toISOString();
  const host = await hostFacts();
  const reports: MeasureReport[] = [];
  await using service = await Service.start({ file: await poolFile('warm'), agents, signal });
  const machine = { ...host, python: await pythonFacts(service, signal) };
  for (const measure of measures) {
    const report = await runMeasure(measure, { service, size, signal });
    const { failure, seconds } = report;
    progress(
      `· ${measure.name}: ${failure === undefined ? 'measured' : `FAILED: ${failure}`} (${seconds.toFixed(1)} s)`,
    );
    reports.push(report);
  }
  const report: Report = { startedAt, smoke: size === 'smoke', machine, measures: reports };
  process.stdout.write(`\n${table(report)}\n`);
  progress(`written to ${await writeResults(report)}`);
  return exitStatus(report);
}
