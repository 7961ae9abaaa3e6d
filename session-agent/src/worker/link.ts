import type { Readable, Writable } from 'node:stream';
import { decodeMessage, encodeFrame, type FrameCodec, FrameDecoder } from '@replpool/protocol';

/** A message after the hello; `n` and `ack` are added and checked here. */
export interface Frame {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface LinkEvents {
  /** The first frame of the other side, raw: its schema is the caller's business. */
  hello(frame: unknown): void;
  /** A numbered frame, not yet parsed by its schema. A throw ends the link, whosever fault it is: that costs one session, and not the agent. */
  frame(frame: Frame): void;
  /** Called exactly once. `error` where the other side broke the protocol. */
  closed(error: Error | undefined): void;
}

/** The other side sent what the protocol does not allow; its link has ended. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
}

/** Bytes that may wait for the other side to read. A worker's protocol thread always reads, whatever its code does. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/** Framing, numbering and acknowledgement with one peer: a worker on a socket, or the launcher on two pipes. */
export class FrameLink implements Disposable {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #events: LinkEvents;
  readonly #decoder = new FrameDecoder();
  #codec: FrameCodec = 'json';
  #opened = false;
  #sent = 0;
  #received = 0;
  #closed = false;

  constructor(input: Readable, output: Writable, events: LinkEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    input.on('data', (chunk: Buffer) => this.#receive(chunk));
    input.on('end', () => this.#close(undefined));
    input.on('close', () => this.#close(undefined));
    input.on('error', (error) => this.#close(error));
    if (output !== (input as unknown)) output.on('error', (error) => this.#close(error));
  }

  /** Sends the first frame, always in JSON, and goes on in `codec`. */
  answerHello(answer: Frame, codec: FrameCodec): void {
    this.#output.write(encodeFrame(answer, 'json'));
    this.#codec = codec;
    this.#opened = true;
  }

  /** Sends a refusal and ends the link. */
  refuse(code: string, message: string): void {
    this.#output.write(encodeFrame({ type: 'refused', code, message }, 'json'));
    this.#close(new LinkError(message));
  }

  send(message: Frame): void {
    if (this.#closed) return;
    if (this.#output.writableLength > MAX_WAITING_BYTES) {
      this.#close(new LinkError('it does not read what it is sent'));
      return;
    }
    this.#sent += 1;
    this.#output.write(encodeFrame({ ...message, n: this.#sent, ack: this.#received }, this.#codec));
  }

  /** Ends the link for a fault of the other side. */
  fail(error: Error): void {
    this.#close(error);
  }

  [Symbol.dispose](): void {
    this.#close(undefined);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const payload of this.#decoder.push(chunk)) {
        if (this.#closed) return;
        if (this.#opened) this.#numbered(decodeMessage(payload, this.#codec));
        else this.#events.hello(decodeMessage(payload, 'json'));
      }
    } catch (error) {
      this.#close(error instanceof Error ? error : new LinkError(String(error)));
    }
  }

  #numbered(message: unknown): void {
    if (!isFrame(message)) throw new LinkError('a frame is not a map with a type');
    const number = Number(message.n);
    // By its value, for a number that msgpack carries in 64 bits is a bigint.
    if (!(typeof message.n === 'number' || typeof message.n === 'bigint') || !Number.isInteger(number) || number < 1)
      throw new LinkError('a frame without a number');
    if (number <= this.#received) return;
    if (number !== this.#received + 1) throw new LinkError(`frame ${number} came after frame ${this.#received}`);
    this.#received = number;
    this.#events.frame(message);
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#output.end();
    this.#input.destroy();
    this.#events.closed(error);
  }
}

function isFrame(message: unknown): message is Frame {
  return typeof message === 'object' && message !== null && 'type' in message && typeof message.type === 'string';
}
