import { expectOutcome, type Message } from '../client/message.ts';
import type { Figure } from '../report/figure.ts';
import { predecessors } from '../report/floor.ts';
import type { Context, Measure } from './measure.ts';
import { each, repeat } from './repeat.ts';
import { codecs, withChannel, withSession } from './with-client.ts';

const lineBytes = 100;
/** Below the limit outputBytes (64 MiB), beyond which output is cut. */
const sizes = {
  full: { lines: 320_000, repeats: 5 },
  smoke: { lines: 20_000, repeats: 2 },
};

/** Every line is another one, so that a lost, doubled or misplaced one is seen. */
export function expectedText(lines: number): string {
  const fill = 'x'.repeat(lineBytes - 11);
  return Array.from({ length: lines }, (_, n) => `${String(n).padStart(9, '0')} ${fill}\n`).join('');
}

/** Makes the text outside of the time that is measured. */
const prepare = (lines: number): string => `import sys
lines = [f"{n:09d} {'x' * ${lineBytes - 11}}" for n in range(${lines})]
text = "".join(line + "\\n" for line in lines)`;

const shapes = {
  lines: 'for line in lines: print(line)',
  'one piece': '_ = sys.stdout.write(text)\nsys.stdout.flush()',
} as const;

/** @throws Error that names the first byte that is wrong */
export function demandEqual(received: string, expected: string): void {
  if (received === expected) return;
  let at = 0;
  while (received[at] === expected[at]) at += 1;
  throw new Error(`output is wrong from byte ${at} on: ${received.length} of ${expected.length} bytes arrived`);
}

type Stream = (code: string, heard: (message: Message) => void) => Promise<void>;

async function run(context: Context): Promise<Figure[]> {
  const { lines, repeats } = sizes[context.size];
  const expected = expectedText(lines);

  const rate = async (stream: Stream, code: string): Promise<number> => {
    const chunks: string[] = [];
    const sentAt = performance.now();
    await stream(code, (message) => {
      if (message.type === 'stdout') chunks.push(message.data);
    });
    const ms = performance.now() - sentAt;
    demandEqual(chunks.join(''), expected);
    return expected.length / 1000 / ms;
  };
  const figures = async (name: string, stream: Stream): Promise<Figure[]> => {
    await stream(prepare(lines), () => undefined);
    return await each(Object.entries(shapes), async ([shape, code]): Promise<Figure> => {
      await rate(stream, code);
      const samples = await repeat(repeats, () => rate(stream, code));
      return {
        ...{ name: `stdout in ${shape}, ${name}`, unit: 'MB/s', samples, warmup: 'one run' },
        floor: predecessors.stdoutMegabytesPerSecond,
      };
    });
  };

  const ndjson = await withSession(context, (session) =>
    figures('NDJSON', (code, heard) => session.stream(code, heard)),
  );
  const channels = await each(codecs, (codec) =>
    withChannel(context, codec, (channel) =>
      figures(`channel ${codec}`, async (code, heard) => expectOutcome(await channel.run(code, heard))),
    ),
  );
  return [...ndjson, ...channels.flat()];
}

export const stdout: Measure = {
  name: 'stdout',
  about: 'MB/s of printed text to the client, every byte compared',
  run,
};
