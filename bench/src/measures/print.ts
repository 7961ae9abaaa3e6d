import { expectOutcome, type Message } from '../client/message.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import type { Context, Measure } from './measure.ts';
import { each } from './repeat.ts';
import { codecs, withChannel, withSession } from './with-client.ts';

const sizes = { full: { warmup: 20, prints: 500 }, smoke: { warmup: 5, prints: 20 } };

/** Each line is the time at which it was printed. Pauses, so that each print finds the path at rest. */
const code = (prints: number): string => `import time
for _ in range(${prints}):
    print(time.monotonic_ns(), flush=True)
    time.sleep(0.005)`;

/** Python's monotonic_ns and Node's hrtime both read CLOCK_MONOTONIC on Linux: the difference is the way from one to the other. */
function sampler(samples: number[]): (message: Message) => void {
  return (message) => {
    if (message.type !== 'stdout') return;
    const now = process.hrtime.bigint();
    for (const line of message.data.trimEnd().split('\n')) samples.push(Number(now - BigInt(line)) / 1e6);
  };
}

async function run(context: Context): Promise<Figure[]> {
  const { warmup, prints } = sizes[context.size];
  const figure = async (
    name: string,
    stream: (code: string, heard: (message: Message) => void) => Promise<unknown>,
  ): Promise<Figure> => {
    const samples: number[] = [];
    await stream(code(warmup + prints), sampler(samples));
    if (samples.length !== warmup + prints) throw new Error(`${samples.length} of ${warmup + prints} lines arrived`);
    return {
      ...{ name: `print to client, ${name}`, unit: 'ms', samples: samples.slice(warmup) },
      ...{ floor: predecessors.printMs, warmup: `${warmup} lines` },
    };
  };
  return [
    await withSession(context, (session) => figure('NDJSON', (it, heard) => session.stream(it, heard))),
    ...(await each(codecs, (codec) =>
      withChannel(context, codec, (channel) =>
        figure(`channel ${codec}`, async (it, heard) => expectOutcome(await channel.run(it, heard))),
      ),
    )),
  ];
}

export const print: Measure = {
  name: 'print',
  about: 'from print() in the worker to its event at the client',
  run,
};
