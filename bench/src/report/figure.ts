import { type Floor, isMet } from './floor.ts';
import { type Statistics, statistics } from './statistics.ts';

/** MB is 10^6 bytes. */
export type Unit = 'ms' | '1/s' | 'MB/s' | 'MB' | 'sessions';

/** What a measure found: one row of the table. */
export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  /** In `unit`, in any order, without the warm-up. */
  readonly samples: readonly number[];
  /** What ran before the first sample and is in none; absent where the first use is what is measured. */
  readonly warmup?: string;
  readonly floor?: Floor;
  readonly note?: string;
}

/** A figure as it is shown and stored. */
export interface FigureReport extends Omit<Figure, 'samples'> {
  readonly statistics: Statistics;
  /** Absent where the figure has no floor. */
  readonly met?: boolean;
}

export function reportFigure({ samples, ...figure }: Figure): FigureReport {
  const found = statistics(samples);
  return { ...figure, statistics: found, ...(figure.floor && { met: isMet(figure.floor, found) }) };
}
