import { HttpClient } from '../client/http-client.ts';
import { expectOutcome } from '../client/message.ts';
import { BenchSession } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import { poolFile } from '../service/pool-file.ts';
import { Service } from '../service/service.ts';
import { acquisitions, space } from '../service/warm-forks.ts';
import type { Context, Measure } from './measure.ts';
import { repeat } from './repeat.ts';

const sizes = { full: { warmup: 5, runs: 60 }, smoke: { warmup: 2, runs: 6 } };

/** Fails or is slow where numpy and pandas are not there already. */
const code = 'import numpy, pandas\nint(pandas.Series(numpy.arange(10)).sum())';

interface Sample {
  readonly createdMs: number;
  readonly resultMs: number;
}

async function createAndRun(http: HttpClient): Promise<Sample> {
  const askedAt = performance.now();
  await using session = await BenchSession.create(http);
  const createdMs = performance.now() - askedAt;
  expectOutcome(await session.execute(code), '45');
  return { createdMs, resultMs: performance.now() - askedAt };
}

async function measure(kind: 'warm' | 'cold', context: Context): Promise<Figure[]> {
  const { service, signal } = context;
  const { warmup, runs } = sizes[context.size];
  await using http = new HttpClient(service.url, signal);
  const once = async (): Promise<Sample> => {
    await space(signal);
    return await createAndRun(http);
  };
  await space(signal);
  const before = await acquisitions(http, service, signal);
  await repeat(warmup, once);
  const samples = await repeat(runs, once);
  const all = warmup + runs;
  const after = await acquisitions(http, service, signal, before.hits + before.misses + all);
  const figure = (name: string, of: (sample: Sample) => number): Figure => ({
    ...{ name: `${name}, ${kind}`, unit: 'ms', samples: samples.map(of), floor: predecessors.createMs },
    warmup: `${warmup} sessions`,
  });
  return [
    {
      ...figure('create', ({ createdMs }) => createdMs),
      note: `${after.hits - before.hits} of ${all} sessions, warm-up included, took a warm fork`,
    },
    figure('create to first result', ({ resultMs }) => resultMs),
  ];
}

/** A service of its own that keeps no warm forks: there a creation is cold for sure, whatever the spacing. */
async function cold(context: Context): Promise<Figure[]> {
  await using service = await Service.start({ file: await poolFile('cold'), agents: 1, signal: context.signal });
  const signal = AbortSignal.any([context.signal, service.gone]);
  return await measure('cold', { ...context, service, signal });
}

export const create: Measure = {
  name: 'create',
  about: 'a session with numpy and pandas loaded, to its 201 and to its first result; from a warm fork and from none',
  run: async (context) => [...(await measure('warm', context)), ...(await cold(context))],
};
