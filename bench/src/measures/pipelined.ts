import type { Channel } from '../client/channel.ts';
import { expectOutcome } from '../client/message.ts';
import type { Figure } from '../report/figure.ts';
import type { Context, Measure } from './measure.ts';
import { each, perSecond, repeat, timed } from './repeat.ts';
import { codecs, withChannel } from './with-client.ts';

/** Executions under way at any time; below the pool's queueLength (100), or they would be refused. */
const window = 64;

const sizes = {
  full: { warmup: 2000, runs: 5000, repeats: 7 },
  smoke: { warmup: 200, runs: 1000, repeats: 3 },
};

/** Each of `window` lanes sends its next execution when its last one has finished. */
async function pipeline(channel: Channel, runs: number): Promise<void> {
  let left = runs;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      expectOutcome(await channel.run('1+1'), '2');
    }
  };
  await Promise.all(Array.from({ length: window }, lane));
}

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs, repeats } = sizes[context.size];
  return await each(codecs, (codec) =>
    withChannel(context, codec, async (channel): Promise<Figure> => {
      await pipeline(channel, warmup);
      const samples = await repeat(repeats, async () => perSecond(runs, await timed(() => pipeline(channel, runs))));
      return { name: `pipelined 1+1, channel ${codec}`, unit: '1/s', samples, warmup: `${warmup} executions` };
    }),
  );
}

export const pipelined: Measure = {
  name: 'pipelined',
  about: `executions/s on one session with ${window} under way`,
  run,
};
