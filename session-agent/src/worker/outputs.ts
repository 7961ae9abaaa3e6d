import { join } from 'node:path';
import { OutputPipe } from './output-pipe.ts';
import { StreamTextDecoder } from './text-decoder.ts';

export type OutputStream = 'stdout' | 'stderr';

const STREAMS: readonly OutputStream[] = ['stdout', 'stderr'];

/** What stands in the two FIFOs of a worker, as text. A twin that takes its place writes into the same. */
export class Outputs implements Disposable {
  /** Who gets it; what nobody gets is dropped. */
  receiver: ((stream: OutputStream, text: string) => void) | undefined;
  readonly #decoders: Record<OutputStream, StreamTextDecoder>;
  readonly #pipes: Record<OutputStream, OutputPipe>;

  /** @param directory with the FIFOs `out` and `err` */
  constructor(directory: string) {
    this.#decoders = { stdout: new StreamTextDecoder(), stderr: new StreamTextDecoder() };
    const deliver = (stream: OutputStream) => (chunk: Buffer) => {
      const text = this.#decoders[stream].push(chunk);
      this.receiver?.(stream, text);
    };
    this.#pipes = {
      stdout: new OutputPipe(join(directory, 'out'), deliver('stdout')),
      stderr: new OutputPipe(join(directory, 'err'), deliver('stderr')),
    };
  }

  /** Reads what stands in them now. @param pipes how much that was when the worker looked; zero is not looked after */
  drain(pipes: readonly [number, number]): void {
    if (pipes[0] > 0) this.#pipes.stdout.drain();
    if (pipes[1] > 0) this.#pipes.stderr.drain();
  }

  /** Half a code point at the end of an execution belongs to it, escaped; it never waits for the next one's bytes. */
  flush(): void {
    for (const stream of STREAMS) {
      const text = this.#decoders[stream].flush();
      if (text !== '') this.receiver?.(stream, text);
    }
  }

  [Symbol.dispose](): void {
    for (const stream of STREAMS) this.#pipes[stream][Symbol.dispose]();
  }
}
