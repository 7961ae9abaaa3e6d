import type { FigureReport } from './figure.ts';
import type { Machine } from './machine.ts';

/** One measure: its figures, or why there are none. */
export interface MeasureReport {
  readonly name: string;
  readonly figures: readonly FigureReport[];
  /** Why it ended early; its figures are then void. */
  readonly failure?: string;
  readonly seconds: number;
  /** Load average over one minute when it began. */
  readonly load: number;
}

/** A whole run, as it is stored. */
export interface Report {
  readonly startedAt: string;
  readonly smoke: boolean;
  readonly machine: Machine;
  readonly measures: readonly MeasureReport[];
}

/** 1 where a measure failed or, but for a smoke run, a floor is not met; else 0. */
export function exitStatus({ measures, smoke }: Pick<Report, 'measures' | 'smoke'>): 0 | 1 {
  const failed = measures.some(({ failure }) => failure !== undefined);
  const missed = measures.some(({ figures }) => figures.some(({ met }) => met === false));
  return failed || (missed && !smoke) ? 1 : 0;
}
