import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameBoundary } from '../src/drain/frame-boundary.ts';
import { clientFrame } from './ws-frame.ts';

/** Of every size that a frame's head writes in its own way. */
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 130 }),
  fc.integer({ min: 65_530, max: 65_540 }).map((length) => new Uint8Array(length)),
);

describe('where a frame of a WebSocket ends', () => {
  it('is known wherever the bytes were cut', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 10 }), (payloads, cuts) => {
        const frames = payloads.map((payload) => clientFrame(payload));
        const bytes = Buffer.concat(frames);
        const ends = new Set([0, ...frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length)]);
        const boundary = new FrameBoundary();
        let from = 0;
        for (const to of [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)) {
          boundary.take(bytes.subarray(from, to));
          from = to;
          assert.equal(boundary.reached, ends.has(to));
        }
      }),
    );
  });
});
