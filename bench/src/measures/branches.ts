import { HttpClient } from '../client/http-client.ts';
import { expectOutcome } from '../client/message.ts';
import { BenchSession } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import { poolFile } from '../service/pool-file.ts';
import { Service } from '../service/service.ts';
import { space } from '../service/warm-forks.ts';
import type { Context, Measure } from './measure.ts';
import { repeat } from './repeat.ts';

const sizes = { full: { warmup: 3, rounds: 30 }, smoke: { warmup: 1, rounds: 3 } };
const many = 8;

/** What a copy has and a fresh session has to make: modules and a DataFrame. */
const code = 'import numpy, pandas\nframe = pandas.DataFrame({"n": numpy.arange(100_000)})\nlen(frame)';
const rows = '100000';

interface Branched {
  /** To the answer that the copies are there. */
  readonly answeredMs: number;
  /** Until each has run code. */
  readonly readyMs: number;
}

/** Makes copies of a session, and deletes them: outside of the time. */
async function branch(session: BenchSession, count: number): Promise<Branched> {
  await using scope = new AsyncDisposableStack();
  const askedAt = performance.now();
  const copies = await session.fork(count);
  const answeredMs = performance.now() - askedAt;
  for (const copy of copies) scope.use(copy);
  const outcomes = await Promise.all(copies.map((copy) => copy.execute('1+1')));
  const readyMs = performance.now() - askedAt;
  for (const outcome of outcomes) expectOutcome(outcome, '2');
  for (const copy of copies) expectOutcome(await copy.execute('len(frame)'), rows);
  return { answeredMs, readyMs };
}

/** What a user does who has no branches: begins anew. @returns ms until a fresh session has what the copies have */
async function anew(http: HttpClient): Promise<number> {
  const askedAt = performance.now();
  await using session = await BenchSession.create(http);
  expectOutcome(await session.execute(code), rows);
  return performance.now() - askedAt;
}

/** @param loaded how pandas came into the sessions */
async function measure(loaded: string, { service, size, signal }: Context): Promise<Figure[]> {
  const { warmup, rounds } = sizes[size];
  await using http = new HttpClient(service.url, signal);
  await using session = await BenchSession.create(http);
  expectOutcome(await session.execute(code), rows);
  // In turns, so that what else this machine does disturbs them alike.
  const round = async () => {
    await space(signal);
    const one = await branch(session, 1);
    await space(signal);
    const eight = await branch(session, many);
    await space(signal);
    return { one, eight, anewMs: await anew(http) };
  };
  await repeat(warmup, round);
  const samples = await repeat(rounds, round);
  const figure = (name: string, of: (sample: (typeof samples)[number]) => number): Figure => ({
    ...{ name: `${name}, pandas ${loaded}`, unit: 'ms', samples: samples.map(of), warmup: `${warmup} rounds` },
  });
  return [
    figure('branch, to the answer', ({ one }) => one.answeredMs),
    { ...figure('branch, ready', ({ one }) => one.readyMs), note: 'the goal is a median of at most 20 ms' },
    figure(`${many} branches, to the answer`, ({ eight }) => eight.answeredMs),
    figure(`${many} branches, all ready`, ({ eight }) => eight.readyMs),
    figure('the same state in a fresh session', ({ anewMs }) => anewMs),
  ];
}

/** A service of its own whose zygote has nothing: there the session has imported pandas, and a fresh one has to. */
async function imported(context: Context): Promise<Figure[]> {
  await using service = await Service.start({ file: await poolFile('plain'), agents: 1, signal: context.signal });
  const signal = AbortSignal.any([context.signal, service.gone]);
  return await measure('imported', { ...context, service, signal });
}

export const branches: Measure = {
  name: 'branches',
  about: `1 and ${many} live copies of a session that has pandas and data; beside a fresh session that makes the same`,
  run: async (context) => [...(await measure('preloaded', context)), ...(await imported(context))],
};
