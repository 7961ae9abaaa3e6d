import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import {
  FrameDecoder,
  FrameError,
  fromLauncherSchema,
  fromWorkerSchema,
  parseFrame,
  toWorkerSchema,
} from '../src/index.ts';
import { hostileBytes, Random } from './frame-mutations.ts';

const rounds = Number(process.env.FUZZ_ROUNDS ?? 500_000);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const schemas = [fromWorkerSchema, fromLauncherSchema, toWorkerSchema];

describe('the parser of frames', function () {
  this.timeout(600_000);

  it(`takes ${rounds} hostile inputs as frames or as a FrameError, in bounded memory (SEED=${seed})`, async () => {
    const before = process.memoryUsage().rss;
    let parsed = 0;
    let refused = 0;
    for (let round = 0; round < rounds; round += 1) {
      const random = new Random(seed + round);
      const { codec, bytes } = hostileBytes(random);
      const cut = random.below(bytes.length + 1);
      const decoder = new FrameDecoder();
      try {
        for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
          for (const payload of decoder.push(chunk)) parseFrame(random.of(schemas), payload, codec);
        }
        parsed += 1;
      } catch (error) {
        assert.ok(error instanceof FrameError, `SEED=${seed + round} FUZZ_ROUNDS=1: ${error}`);
        refused += 1;
      }
      assert.ok(decoder.pendingBytes <= bytes.length);
      if (round % 10_000 === 0) {
        await setImmediate();
        const grown = process.memoryUsage().rss - before;
        assert.ok(grown < 768 * 1024 * 1024, `SEED=${seed}: ${grown} bytes more after ${round} rounds`);
      }
    }
    // Else it has tried one kind only.
    if (rounds >= 1000)
      assert.ok(parsed > rounds / 100 && refused > rounds / 4, `${parsed} parsed, ${refused} refused`);
  });
});
