import assert from 'node:assert/strict';
import { backoffMs } from '../src/index.ts';

describe('the pause before another try', () => {
  it('doubles up to the longest, and leaves its jitter to chance', () => {
    const plain = { firstMs: 50, longestMs: 1_000, jitter: 0 };
    assert.deepEqual(
      [0, 1, 2, 5, 10_000].map((attempt) => backoffMs(attempt, plain)),
      [50, 100, 200, 1_000, 1_000],
    );
    const half = { ...plain, jitter: 0.5 };
    assert.deepEqual([backoffMs(0, half, 0), backoffMs(0, half, 0.5), backoffMs(0, half, 1)], [25, 37.5, 50]);
  });
});
