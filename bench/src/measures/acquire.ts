import { HttpClient } from '../client/http-client.ts';
import { expectOutcome } from '../client/message.ts';
import { createSessions } from '../client/session.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import { space } from '../service/warm-forks.ts';
import type { Context, Measure } from './measure.ts';
import { each, repeat } from './repeat.ts';

const counts = [3, 10, 32] as const;
const sizes = { full: { warmup: 1, repeats: 10 }, smoke: { warmup: 1, repeats: 1 } };

/** Creates `count` sessions at once and runs code on all. @returns ms until the last one was created */
async function acquire(http: HttpClient, count: number): Promise<number> {
  await using scope = new AsyncDisposableStack();
  const askedAt = performance.now();
  const sessions = await createSessions(http, scope, count);
  const ms = performance.now() - askedAt;
  await Promise.all(sessions.map(async (session) => expectOutcome(await session.execute('1+1'), '2')));
  return ms;
}

async function run(context: Context): Promise<Figure[]> {
  const { service, signal } = context;
  const { warmup, repeats } = sizes[context.size];
  await using http = new HttpClient(service.url, signal);
  const times = await each(counts, async (count): Promise<Figure> => {
    const once = async (): Promise<number> => {
      await space(signal);
      return await acquire(http, count);
    };
    await repeat(warmup, once);
    const samples = await repeat(repeats, once);
    return { name: `${count} creates at once, to the last`, unit: 'ms', samples, warmup: `${warmup} burst` };
  });
  // A burst in which one failed has ended the measure.
  const most = { name: 'sessions acquired at once', unit: 'sessions', samples: [Math.max(...counts)] } as const;
  return [...times, { ...most, floor: predecessors.acquiredAtOnce }];
}

export const acquireAtOnce: Measure = {
  name: 'acquire',
  about: `${counts.join(', ')} sessions asked for at once; then code on all`,
  run,
};
