import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import {
  decodeMessage,
  encodeFrame,
  type FrameCodec,
  FrameDecoder,
  type FromWorkerFrame,
  fromWorkerSchema,
  parseFrame,
  type WorkerHello,
  workerHelloSchema,
} from '@replpool/protocol';
import { OutputPipe } from '../../src/worker/output-pipe.ts';
import type { Language } from './languages.ts';

export type Transport = 'fds' | 'stdio';
type Message = Record<string, unknown>;
type Type = FromWorkerFrame['type'];
type FrameOf<T extends Type> = Extract<FromWorkerFrame, { type: T }>;

/** However busy the machine: what has not come by then does not. */
const PATIENCE_MS = 60_000;

/** What came of one execution: every frame up to `finished`, and what was written. */
export class Run {
  readonly frames: FromWorkerFrame[] = [];
  stdout = '';
  stderr = '';
  /** What was read from fds 1 and 2 a turn of the event loop before there was any frame to read. */
  early = '';

  types(): Type[] {
    return this.frames.map(({ type }) => type).filter((type) => type !== 'stdout' && type !== 'stderr');
  }

  one<T extends Type>(type: T): FrameOf<T> {
    const found = this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
    assert.equal(found.length, 1, `one ${type} among ${this.types()}`);
    return found[0] as FrameOf<T>;
  }

  get status(): string {
    return this.one('finished').status;
  }

  get text(): unknown {
    return (this.one('result').data as Message)['text/plain'];
  }
}

/** The agent's end of one worker that was started directly. Every frame is held against the schema, the numbers and the acknowledgements. */
export class WorkerPeer implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly exited: Promise<number | string>;
  /** What it wrote to fd 2 before or beside any execution. */
  said = '';
  readonly #input: Writable;
  readonly #decoder = new FrameDecoder();
  readonly #folder = mkdtempSync(join(tmpdir(), 'replpool-'));
  readonly #pipes: OutputPipe[] = [];
  readonly #queue: Buffer[] = [];
  #arrived = Promise.withResolvers<void>();
  #ended = false;
  #codec: FrameCodec = 'json';
  #sent = 0;
  #received = 0;
  #executions = 0;
  #run = new Run();

  constructor(language: Language, transport: Transport) {
    const [command, ...args] = language.command();
    const { PYREPL_PROTOCOL_FDS: _, ...env } = process.env;
    let output: Readable;
    if (transport === 'stdio') {
      this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
      this.#input = this.process.stdin as Writable;
      output = this.process.stdout as Readable;
      this.process.stderr?.on('data', (chunk: Buffer) => {
        this.said += chunk;
      });
    } else {
      const paths = ['out', 'err'].map((name) => join(this.#folder, name));
      execFileSync('mkfifo', paths);
      for (const [i, path] of paths.entries()) {
        this.#pipes.push(new OutputPipe(path, (chunk) => this.#output(i === 0 ? 'stdout' : 'stderr', chunk)));
      }
      const fds = paths.map((path) => openSync(path, constants.O_WRONLY));
      const stdio = ['ignore', ...fds, 'pipe', 'pipe'] as const;
      this.process = spawn(command, args, { stdio: [...stdio], env: { ...env, PYREPL_PROTOCOL_FDS: '3,4' } });
      for (const fd of fds) closeSync(fd);
      this.#input = this.process.stdio[3] as Writable;
      output = this.process.stdio[4] as Readable;
    }
    // It may be gone while we still write.
    this.#input.on('error', () => undefined);
    output.on('data', (chunk: Buffer) => this.#queue.push(...this.#decoder.push(chunk)));
    output.on('data', () => this.#wake());
    output.on('error', () => undefined);
    output.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
    this.exited = once(this.process, 'exit').then(([code, signal]) => {
      for (const pipe of this.#pipes) pipe.drain();
      return signal ?? code;
    });
  }

  /** A worker that is ready. */
  static async start(language: Language, transport: Transport = 'fds', codec: FrameCodec = 'msgpack') {
    const peer = new WorkerPeer(language, transport);
    await peer.hello();
    peer.answer({ type: 'hello', protocol: 1, codec }, codec);
    await peer.expect('ready');
    return peer;
  }

  async hello(): Promise<WorkerHello> {
    return workerHelloSchema.parse(decodeMessage(await this.#payload(), 'json'));
  }

  answer(message: Message, codec: FrameCodec = 'json'): void {
    this.raw(encodeFrame(message, 'json'));
    this.#codec = codec;
  }

  raw(bytes: Uint8Array): void {
    this.#input.write(bytes);
  }

  /** Ends what it reads. */
  close(): void {
    this.#input.end();
  }

  send(message: Message): void {
    this.raw(this.frame(message));
  }

  /** The bytes of the next frame, which must be sent. */
  frame(message: Message): Buffer {
    this.#sent += 1;
    return encodeFrame({ ...message, n: this.#sent, ack: this.#received }, this.#codec);
  }

  async next(): Promise<FromWorkerFrame> {
    const frame = parseFrame(fromWorkerSchema, await this.#payload(), this.#codec);
    assert.equal(frame.n, this.#received + 1, `the number of ${frame.type}`);
    assert.ok(frame.ack <= this.#sent, `${frame.type} acknowledges ${frame.ack} of ${this.#sent}`);
    this.#received = frame.n;
    if ('pipes' in frame) for (const [i, unread] of frame.pipes.entries()) if (unread > 0) this.#pipes[i]?.drain();
    if (frame.type === 'stdout' || frame.type === 'stderr') this.#output(frame.type, Buffer.from(frame.data));
    return frame;
  }

  /** The next frame, which must be of that type. */
  async expect<T extends Type>(type: T): Promise<FrameOf<T>> {
    const frame = await this.next();
    assert.equal(frame.type, type);
    return frame as FrameOf<T>;
  }

  /** Sends an `execute`. @returns its id */
  execute(code: string, fields: Message = {}): string {
    this.#executions += 1;
    const execution = `e${this.#executions}`;
    const count = this.#executions;
    this.send({ type: 'execute', execution, code, silent: false, executionCount: count, hasInput: false, ...fields });
    return execution;
  }

  /** Frames up to the execution's `finished`; `on` may answer them. */
  async finish(execution: string, on: (frame: FromWorkerFrame) => void = () => undefined): Promise<Run> {
    const run = new Run();
    this.#run = run;
    for (;;) {
      const frame = await this.next();
      run.frames.push(frame);
      on(frame);
      if (frame.type !== 'finished') continue;
      assert.equal(frame.execution, execution);
      this.#run = new Run();
      return run;
    }
  }

  async run(code: string, fields: Message = {}): Promise<Run> {
    return await this.finish(this.execute(code, fields));
  }

  /** A question and its answer. */
  async ask(message: Message): Promise<FrameOf<'reply'> | FrameOf<'problem'>> {
    this.send({ request: 'q', ...message });
    const frame = await this.next();
    assert.ok(frame.type === 'reply' || frame.type === 'problem', frame.type);
    assert.equal(frame.request, message.request ?? 'q');
    return frame;
  }

  /** How it ended: its exit status, or the name of a signal. */
  async status(): Promise<number | string> {
    return await patiently(this.exited, 'the worker does not end');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
    for (const pipe of this.#pipes) pipe[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #output(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    const run = this.#run;
    run[stream] += chunk.toString();
    setImmediate(() =>
      setImmediate(() => {
        if (run.frames.length === 0 && this.#queue.length === 0) run.early += chunk.toString();
      }),
    );
    if (stream === 'stderr') this.said += chunk;
  }

  async #payload(): Promise<Buffer> {
    for (;;) {
      const payload = this.#queue.shift();
      if (payload) return payload;
      if (this.#ended) throw new Error(`the worker closed its connection: ${this.said}`);
      this.#arrived = Promise.withResolvers();
      await patiently(this.#arrived.promise, `no frame came: ${this.said}`);
    }
  }

  #wake(): void {
    this.#arrived.resolve();
  }
}

async function patiently<T>(promise: Promise<T>, message: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(message)), PATIENCE_MS);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
