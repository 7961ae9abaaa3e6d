import { expectOutcome, type Outcome } from '../client/message.ts';
import type { Figure } from '../report/figure.ts';
import { type Floor, predecessors } from '../report/floor.ts';
import type { Context, Measure } from './measure.ts';
import { each, perSecond, repeat, timed } from './repeat.ts';
import { codecs, withChannel, withSession } from './with-client.ts';

const sizes = {
  full: { warmup: 500, runs: 1000, repeats: 7 },
  smoke: { warmup: 20, runs: 200, repeats: 3 },
};

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs, repeats } = sizes[context.size];

  /** Each sample is the rate of one block. */
  const rates = async (name: string, execute: () => Promise<Outcome>, floor?: Floor): Promise<Figure> => {
    const once = async (): Promise<void> => expectOutcome(await execute(), '2');
    await repeat(warmup, once);
    const samples = await repeat(repeats, async () => perSecond(runs, await timed(() => repeat(runs, once))));
    return {
      ...{ name: `sequential 1+1, ${name}`, unit: '1/s', samples, ...(floor && { floor }) },
      warmup: `${warmup} executions`,
    };
  };

  return [
    // Shown without a floor: who runs thousands of executions in a row uses the channel.
    await withSession(context, (session) => rates('HTTP', () => session.execute('1+1'))),
    ...(await each(codecs, (codec) =>
      withChannel(context, codec, (channel) =>
        rates(`channel ${codec}`, () => channel.run('1+1'), predecessors.sequentialPerSecond),
      ),
    )),
  ];
}

export const sequential: Measure = {
  name: 'sequential',
  about: 'executions/s on one session, the next sent when the one before has finished',
  run,
};
