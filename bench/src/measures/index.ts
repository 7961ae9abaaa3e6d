import { acquireAtOnce } from './acquire.ts';
import { branches } from './branches.ts';
import { create } from './create.ts';
import { interruptToAnswer } from './interrupt.ts';
import type { Measure } from './measure.ts';
import { onePlusOne } from './one-plus-one.ts';
import { pipelined } from './pipelined.ts';
import { print } from './print.ts';
import { sequential } from './sequential.ts';
import { sessionsOnOneAgent } from './sessions.ts';
import { snapshots } from './snapshots.ts';
import { stdout } from './stdout.ts';
import { transactions } from './transactions.ts';

/** All measures, in the order in which they run. */
export const measures: readonly Measure[] = [
  onePlusOne,
  sequential,
  pipelined,
  create,
  print,
  stdout,
  acquireAtOnce,
  sessionsOnOneAgent,
  interruptToAnswer,
  transactions,
  snapshots,
  branches,
];

/** The measures of these names, in the order of `measures`. @throws Error that names one that does not exist */
export function measuresNamed(names: readonly string[]): readonly Measure[] {
  const unknown = names.find((name) => !measures.some((measure) => measure.name === name));
  if (unknown !== undefined) {
    throw new Error(`there is no measure ${unknown}; there are ${measures.map(({ name }) => name).join(', ')}`);
  }
  return measures.filter(({ name }) => names.includes(name));
}
