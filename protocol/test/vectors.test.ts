import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { decodeMessage, encodeFrame, type FrameCodec, FrameDecoder } from '../src/index.ts';

interface Vector {
  name: string;
  codec: FrameCodec;
  hex: string;
  message: unknown;
  canonical?: boolean;
}

const path = new URL('../vectors/frames.json', import.meta.url);
const { frames } = JSON.parse(readFileSync(path, 'utf8')) as { frames: Vector[] };

/** The vector's message with real bytes; for encoding, integers that msgpackr would write as floats are BigInts. */
function real(value: unknown, wide: (it: number) => unknown): unknown {
  if (typeof value === 'number') return wide(value);
  if (Array.isArray(value)) return value.map((item) => real(item, wide));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === '$bytes') return Buffer.from(String(first[1]), 'base64');
  return Object.fromEntries(entries.map(([key, item]) => [key, real(item, wide)]));
}

const same = (it: number): unknown => it;
const wide = (it: number): unknown =>
  Number.isInteger(it) && (it > 0xffffffff || it < -0x80000000) ? asBigInt(it) : it;
const asBigInt = (it: number): unknown => (Number.isSafeInteger(it) ? BigInt(it) : it);

describe('the golden byte vectors', () => {
  for (const vector of frames) {
    it(`decode: ${vector.name}`, () => {
      const [payload, ...more] = new FrameDecoder().push(Buffer.from(vector.hex, 'hex'));
      assert.ok(payload);
      assert.deepEqual(more, []);
      assert.deepEqual(decodeMessage(payload, vector.codec), real(vector.message, same));
    });
    if (vector.canonical === false) continue;
    it(`encode to the same bytes: ${vector.name}`, () => {
      assert.equal(encodeFrame(real(vector.message, wide), vector.codec).toString('hex'), vector.hex);
    });
  }
});
