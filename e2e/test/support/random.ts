import { randomInt } from 'node:crypto';

/** What the random choices of a run follow from: $SEED, to have those of a run that failed once more, else another each time. */
export const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));

/** @returns a source of integers from 0 to below a limit, the same for the same seed (mulberry32) */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
