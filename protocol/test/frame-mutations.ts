import { readFileSync } from 'node:fs';
import { encodeFrame, type FrameCodec } from '../src/index.ts';

const path = new URL('../vectors/frames.json', import.meta.url);
const { frames } = JSON.parse(readFileSync(path, 'utf8')) as { frames: { codec: FrameCodec; hex: string }[] };
const golden = frames.map(({ codec, hex }) => ({ codec, bytes: Buffer.from(hex, 'hex') }));
const names = [
  'type',
  'n',
  'ack',
  'execution',
  'code',
  'data',
  'metadata',
  'error',
  'pipes',
  'request',
  'value',
  '__proto__',
];
const types = ['started', 'result', 'finished', 'error', 'reply', 'execute', 'exited', 'forked', 'hello', 'toString'];

/** Numbers that are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to and without `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** Bytes as a broken or hostile peer sends them: noise, golden frames with mistakes, strange lengths, deep nesting, wrong types. */
export function hostileBytes(random: Random): { codec: FrameCodec; bytes: Buffer } {
  const { codec, bytes } = random.of(golden);
  switch (random.below(8)) {
    case 0:
      return { codec, bytes: noise(random, random.below(64)) };
    case 1:
      return { codec, bytes: framed(noise(random, 1 + random.below(64))) };
    case 2:
      return {
        codec,
        bytes: withLength(bytes, random.of([0, 1, bytes.length, 2 ** 26, 2 ** 26 + 1, 2 ** 31, 2 ** 32 - 1])),
      };
    case 3:
      return { codec, bytes: framed(nested(random, codec)) };
    case 4:
      return { codec, bytes: encodeFrame(strangeMessage(random), codec) };
    case 5:
      return { codec, bytes: bytes.subarray(0, random.below(bytes.length)) };
    default:
      return { codec, bytes: framed(mutated(random, bytes.subarray(4))) };
  }
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

function framed(body: Buffer): Buffer {
  return withLength(Buffer.concat([Buffer.alloc(4), body]), body.length);
}

function withLength(frame: Buffer, length: number): Buffer {
  const changed = Buffer.from(frame);
  changed.writeUInt32BE(length >>> 0);
  return changed;
}

/** Containers in containers that announce more than they hold. */
function nested(random: Random, codec: FrameCodec): Buffer {
  const depth = random.of([3, 100, 511, 512, 513, 5_000]);
  const opening =
    codec === 'json' ? random.of(['[', '{"a":', '[[],']) : random.of(['91', '81a161', 'dd7fffffff', 'df7fffffff']);
  const encoding = codec === 'json' ? 'utf8' : 'hex';
  return Buffer.concat([Buffer.from(opening.repeat(depth), encoding), noise(random, random.below(8))]);
}

function mutated(random: Random, body: Buffer): Buffer {
  const changed = Buffer.from(body);
  for (let i = random.below(6); i >= 0; i -= 1) changed[random.below(changed.length)] = random.below(256);
  if (random.below(2) === 0) return changed;
  const cut = random.below(changed.length);
  const other = random.of(golden).bytes;
  return Buffer.concat([changed.subarray(0, cut), other.subarray(random.below(other.length))]);
}

function strangeMessage(random: Random): unknown {
  const message: Record<string, unknown> = { type: random.of(types), n: 1, ack: 0 };
  for (let i = random.below(6); i >= 0; i -= 1) message[random.of(names)] = strangeValue(random, 3);
  return message;
}

function strangeValue(random: Random, depth: number): unknown {
  const plain = [
    null,
    true,
    -1,
    0,
    1.5,
    2 ** 53,
    -(2 ** 40),
    '',
    '\ud800',
    'x'.repeat(random.below(300)),
    [],
    {},
    ...types,
  ];
  if (depth === 0 || random.below(3) > 0) return random.of(plain);
  const values = Array.from({ length: random.below(5) }, () => strangeValue(random, depth - 1));
  return random.below(2) === 0 ? values : Object.fromEntries(values.map((value) => [random.of(names), value]));
}
