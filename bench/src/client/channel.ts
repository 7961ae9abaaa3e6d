import { randomUUID } from 'node:crypto';
import {
  CHANNEL_JSON,
  CHANNEL_MSGPACK,
  type ClientMessage,
  decodeMessage,
  encodeMessage,
  type FrameCodec,
  toJson,
} from '@replpool/protocol';
import { WebSocket } from 'ws';
import { type Message, type Outcome, readMessage } from './message.ts';

const maxPayload = 128 * 1024 * 1024;

/** One execution over the channel; times in ms on the clock of `performance.now()`. */
export interface Run extends Outcome {
  readonly sentAt: number;
  /** When the result was there; when it had finished, where there was none. */
  readonly resultAt: number;
  readonly finishedAt: number;
}

interface Pending {
  readonly sentAt: number;
  readonly heard: (message: Message) => void;
  readonly resolve: (run: Run) => void;
  readonly reject: (error: Error) => void;
  result: string | undefined;
  resultAt: number | undefined;
}

const ignore = (): void => undefined;

/** A session's channel. Every event must follow the one before it by number: a lost one ends the channel with an error. */
export class Channel implements Disposable {
  readonly #socket: WebSocket;
  readonly #codec: FrameCodec;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<string, Pending>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #abort = (): void => this.#fail(new Error('the measure was ended', { cause: this.#signal.reason }));
  #seq = 0;
  #failure: Error | undefined;

  private constructor(service: URL, session: string, codec: FrameCodec, signal: AbortSignal) {
    const url = new URL(`v1/sessions/${session}/channel`, service);
    url.protocol = 'ws:';
    this.#codec = codec;
    this.#signal = signal;
    const protocol = codec === 'msgpack' ? CHANNEL_MSGPACK : CHANNEL_JSON;
    this.#socket = new WebSocket(url, [protocol], { perMessageDeflate: false, maxPayload });
    this.#socket.on('message', (data: Buffer) => this.#receive(data));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', (code) => this.#fail(new Error(`the channel was closed with ${code}`)));
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Resolves when the server has said hello. */
  static async open(service: URL, session: string, codec: FrameCodec, signal: AbortSignal): Promise<Channel> {
    signal.throwIfAborted();
    const channel = new Channel(service, session, codec, signal);
    await channel.#opened.promise;
    return channel;
  }

  send(message: ClientMessage): void {
    this.#socket.send(this.#codec === 'msgpack' ? encodeMessage(message, 'msgpack') : toJson(message));
  }

  /** Runs code; `heard` gets its messages as they arrive. Many may be under way. */
  run(code: string, heard: (message: Message) => void = ignore): Promise<Run> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Run>();
    const id = randomUUID();
    const pending = { heard, resolve, reject, result: undefined, resultAt: undefined };
    this.#pending.set(id, { ...pending, sentAt: performance.now() });
    this.send({ type: 'execute', id, code });
    return promise;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#abort);
    this.#fail(new Error('the channel is not used any more'));
  }

  #receive(data: Buffer): void {
    try {
      this.#hear(readMessage(decodeMessage(data, this.#codec)));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #hear(message: Message): void {
    if (message.type === 'hello') {
      this.#seq = message.lastSeq;
      this.#opened.resolve();
      return;
    }
    if (message.type === 'problem') throw new Error(`refused: ${message.text}`);
    if (message.seq !== this.#seq + 1) throw new Error(`event ${message.seq} came after event ${this.#seq}`);
    this.#seq = message.seq;
    const pending = message.execution === undefined ? undefined : this.#pending.get(message.execution);
    if (pending === undefined) return;
    pending.heard(message);
    if (message.type === 'result') {
      pending.resultAt = performance.now();
      pending.result = message.text;
    } else if (message.type === 'finished') {
      const { sentAt, result, resultAt, resolve } = pending;
      const finishedAt = performance.now();
      this.#pending.delete(message.execution);
      resolve({ status: message.status, result, sentAt, resultAt: resultAt ?? finishedAt, finishedAt });
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#opened.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#socket.terminate();
  }
}
