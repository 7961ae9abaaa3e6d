import type { Channel } from '../client/channel.ts';
import type { Figure } from '../report/figure.ts';
import type { Context, Measure } from './measure.ts';
import { each, repeat } from './repeat.ts';
import { withChannel } from './with-client.ts';

const sizes = { full: { warmup: 10, runs: 200 }, smoke: { warmup: 2, runs: 10 } };

/** Each says that it runs, and then never ends by itself. */
const codes = {
  'a busy loop': 'print("running", flush=True)\nwhile True: pass',
  'time.sleep': 'import time\nprint("running", flush=True)\ntime.sleep(60)',
} as const;

/** Time from the interrupt to `finished`, in ms. */
async function interrupt(channel: Channel, code: string): Promise<number> {
  let sentAt = Number.NaN;
  const run = await channel.run(code, (message) => {
    if (message.type !== 'stdout' || message.execution === undefined) return;
    sentAt = performance.now();
    channel.send({ type: 'interrupt', execution: message.execution });
  });
  if (run.status !== 'interrupted') throw new Error(`an interrupted execution ended as ${run.status}`);
  return run.finishedAt - sentAt;
}

async function run(context: Context): Promise<Figure[]> {
  const { warmup, runs } = sizes[context.size];
  return await each(Object.entries(codes), ([name, code]) =>
    withChannel(context, 'msgpack', async (channel): Promise<Figure> => {
      await repeat(warmup, () => interrupt(channel, code));
      const samples = await repeat(runs, () => interrupt(channel, code));
      return { name: `interrupt of ${name} to answer`, unit: 'ms', samples, warmup: `${warmup} interrupts` };
    }),
  );
}

export const interruptToAnswer: Measure = {
  name: 'interrupt',
  about: 'from the interrupt to the end of what it interrupts',
  run,
};
