/** Runs `once` so many times, one after the other: a closed loop. @returns what each returned */
export async function repeat<T>(times: number, once: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let n = 0; n < times; n += 1) all.push(await once(n));
  return all;
}

/** The same for each of a list. */
export async function each<A, T>(list: readonly A[], once: (item: A) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (const item of list) all.push(await once(item));
  return all;
}

/** Time that it takes, in ms. */
export async function timed(what: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await what();
  return performance.now() - startedAt;
}

/** Rate per second of so many things in so many ms. */
export function perSecond(count: number, ms: number): number {
  return (count * 1000) / ms;
}
