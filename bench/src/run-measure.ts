import { loadavg } from 'node:os';
import type { Measure, Size } from './measures/measure.ts';
import { reportFigure } from './report/figure.ts';
import type { MeasureReport } from './report/report.ts';
import type { Service } from './service/service.ts';

/** A measure that takes longer hangs: some ten times what the longest one needs on two slow cores. */
const deadlineMs = { full: 5 * 60_000, smoke: 60_000 };

/** Runs one measure to its report; an error of it is part of the report, the end of `signal` or of the service is thrown. */
export async function runMeasure(
  measure: Measure,
  options: { service: Service; size: Size; signal: AbortSignal },
): Promise<MeasureReport> {
  const { service, size } = options;
  const end = AbortSignal.any([options.signal, service.gone]);
  const signal = AbortSignal.any([end, AbortSignal.timeout(deadlineMs[size])]);
  const startedAt = performance.now();
  const load = loadavg()[0] ?? 0;
  const { name } = measure;
  const report = (rest: Pick<MeasureReport, 'figures' | 'failure'>): MeasureReport => ({
    ...{ name, load, seconds: (performance.now() - startedAt) / 1000, ...rest },
  });
  try {
    const figures = await measure.run({ service, size, signal });
    return report({ figures: figures.map(reportFigure) });
  } catch (error) {
    end.throwIfAborted();
    return report({ figures: [], failure: reason(signal.aborted ? signal.reason : error) });
  }
}

/** What happened first and why, without the errors that only followed from it. */
export function reason(error: unknown): string {
  if (error instanceof SuppressedError) return reason(error.suppressed);
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${reason(error.cause)})`;
}
