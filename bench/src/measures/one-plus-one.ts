import { expectOutcome } from '../client/message.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import type { Context, Measure } from './measure.ts';
import { each, repeat } from './repeat.ts';
import { codecs, withChannel, withSession } from './with-client.ts';

const sizes = { full: { warmup: 500, runs: 2000 }, smoke: { warmup: 20, runs: 100 } };

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs } = sizes[context.size];
  const figure = (name: string, samples: number[]): Figure => ({
    ...{ name: `1+1, ${name}`, unit: 'ms', samples, floor: predecessors.onePlusOneMs },
    warmup: `${warmup} executions`,
  });

  const http = await withSession(context, async (session) => {
    const once = async (): Promise<number> => {
      const sentAt = performance.now();
      const outcome = await session.execute('1+1');
      const ms = performance.now() - sentAt;
      expectOutcome(outcome, '2');
      return ms;
    };
    await repeat(warmup, once);
    return figure('HTTP', await repeat(runs, once));
  });

  const channels = await each(codecs, (codec) =>
    withChannel(context, codec, async (channel) => {
      const once = async (): Promise<number> => {
        const outcome = await channel.run('1+1');
        expectOutcome(outcome, '2');
        return outcome.resultAt - outcome.sentAt;
      };
      await repeat(warmup, once);
      return figure(`channel ${codec}`, await repeat(runs, once));
    }),
  );
  return [http, ...channels];
}

export const onePlusOne: Measure = { name: '1+1', about: 'one execution, from request to result', run };
