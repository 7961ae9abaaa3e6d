import type { Figure } from '../report/figure.ts';
import type { Service } from '../service/service.ts';

/** How much is repeated: a smoke run only shows that every measure works. */
export type Size = 'full' | 'smoke';

export interface Context {
  readonly service: Service;
  readonly size: Size;
  /** Ends the measure: its deadline, Ctrl-C or the end of the service. */
  readonly signal: AbortSignal;
}

/** One thing that is measured; an error, a lost byte or a refused request is thrown. */
export interface Measure {
  /** As `--only` takes it. */
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<Figure[]>;
}
