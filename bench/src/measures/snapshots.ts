import { expectOutcome } from '../client/message.ts';
import type { BenchSession } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import type { Context, Measure } from './measure.ts';
import { each, repeat } from './repeat.ts';
import { withSession } from './with-client.ts';

const sizes = {
  full: { forks: 50, copies: 5, megabytes: [0, 10, 100, 1000], dicts: 1_000_000 },
  smoke: { forks: 5, copies: 1, megabytes: [0, 10], dicts: 10_000 },
};

/** What the fork is compared with: a module, and what makes a copy of `data`, which is all that the namespace has. */
const OTHERS = {
  'copy.deepcopy': ['copy', 'copy.deepcopy(data)'],
  'cloudpickle, written and read': ['cloudpickle', 'cloudpickle.loads(cloudpickle.dumps(data))'],
} as const;

/** What the service says that a snapshot took; of code that fails, the snapshot and the way back to it. */
async function cost(session: BenchSession, code: 'None' | '1/0'): Promise<number> {
  const { transaction } = await session.execute(code, 'rollback_on_failure');
  const expected = code === 'None' ? 'committed' : 'rolled_back';
  if (transaction?.snapshot === 'fork' && transaction.outcome === expected) return transaction.costMs;
  throw new Error(`a transaction was ${transaction?.outcome} by ${transaction?.snapshot}, not ${expected} by a fork`);
}

/** What another way takes, timed in the session: without the way to it and back. */
async function other(session: BenchSession, [module, copy]: readonly [string, string]): Promise<number> {
  const timed = `began = time.perf_counter()\nmade = ${copy}\ntook = time.perf_counter() - began\ndel made\ntook * 1000`;
  const outcome = await session.execute(`import time, ${module}\n${timed}`);
  expectOutcome(outcome);
  return Number(outcome.result);
}

async function run(context: Context): Promise<Figure[]> {
  const { forks, copies, megabytes, dicts } = sizes[context.size];
  const contents = [
    ...megabytes.map(
      (mb) => [`${mb} MB of numpy data`, `import numpy\ndata = {"x": numpy.ones(${mb} * 125_000)}`] as const,
    ),
    [`${dicts} dicts`, `data = [{"a": n, "b": str(n)} for n in range(${dicts})]`] as const,
  ];
  const figures = await each(contents, ([what, code]) =>
    withSession(context, async (session): Promise<Figure[]> => {
      expectOutcome(await session.execute(code));
      const byFork = async (name: string, ends: 'None' | '1/0'): Promise<Figure> => {
        await cost(session, ends);
        const samples = await repeat(forks, () => cost(session, ends));
        return { name: `${name} ${what}, fork`, unit: 'ms', samples, warmup: 'once' };
      };
      const snapshot = await byFork('snapshot of', 'None');
      const rollback = await byFork('snapshot of and rollback to', '1/0');
      const rest = await each(Object.entries(OTHERS), async ([name, way]): Promise<Figure> => {
        const samples = await repeat(copies, () => other(session, way));
        return { name: `snapshot of ${what}, ${name}`, unit: 'ms', samples };
      });
      return [snapshot, rollback, ...rest];
    }),
  );
  return figures.flat();
}

export const snapshots: Measure = {
  name: 'snapshots',
  about: 'a snapshot by fork and the way back to it, beside a deep copy and cloudpickle of the same data',
  run,
};
