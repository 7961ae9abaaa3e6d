import type { Statistics } from './statistics.ts';

/** A bound of a figure's median, in the figure's unit. */
export type Floor = { readonly atMost: number } | { readonly atLeast: number };

/** The targets of ReplPool's predecessors (design, section 12): less is a defect, not a slow day. */
export const predecessors = {
  onePlusOneMs: { atMost: 5 },
  sequentialPerSecond: { atLeast: 1000 },
  createMs: { atMost: 100 },
  printMs: { atMost: 10 },
  stdoutMegabytesPerSecond: { atLeast: 10 },
  acquiredAtOnce: { atLeast: 3 },
  sessionsOnOneAgent: { atLeast: 100 },
} as const satisfies Record<string, Floor>;

/** The median decides: it stands for the usual case, and one disturbed sample does not move it. */
export function isMet(floor: Floor, { p50 }: Statistics): boolean {
  return 'atMost' in floor ? p50 <= floor.atMost : p50 >= floor.atLeast;
}

export function floorText(floor: Floor): string {
  return 'atMost' in floor ? `≤ ${floor.atMost}` : `≥ ${floor.atLeast}`;
}
