import assert from 'node:assert/strict';
import { ACQUIRE_BOUNDS_MS, type Acquired } from '@replpool/protocol';
import fc from 'fast-check';
import { summarizeAcquired } from '../src/pool/acquired.ts';

/** What an agent tells that made sessions within these milliseconds. */
function told(durations: readonly number[], hits = durations.length): Acquired {
  const counts = Array.from({ length: ACQUIRE_BOUNDS_MS.length + 1 }, () => 0);
  for (const ms of durations) {
    const index = ACQUIRE_BOUNDS_MS.findIndex((bound) => ms <= bound);
    const bucket = index === -1 ? counts.length - 1 : index;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return { hits, misses: durations.length - hits, counts };
}

const times = (count: number, ms: number) => Array.from({ length: count }, () => ms);

describe('how the sessions of a pool came to be', () => {
  it('is not told before the first of them', () => {
    assert.deepEqual(summarizeAcquired([]), {});
    assert.deepEqual(summarizeAcquired([told([])]), {});
  });

  it('is a ratio of two digits that is 1.00 only where every one was a hit', () => {
    const ratio = (hits: number, all: number) => summarizeAcquired([told(times(all, 1), hits)]).warmHitRatio;
    assert.deepEqual(
      [ratio(3, 3), ratio(999, 1000), ratio(29, 100), ratio(2, 3), ratio(0, 1)],
      ['1.00', '0.99', '0.29', '0.66', '0.00'],
    );
  });

  it('has a percentile over all agents, which is no mean of theirs', () => {
    // Of 1,000 the slow agent made 40, so 95 in 100 are fast; a mean of the two percentiles would be 501.
    const agents = [told(times(960, 2)), told(times(40, 1000))];
    assert.equal(summarizeAcquired(agents).acquireP95Ms, 2);
  });

  it('is never below the true percentile, and at most a quarter and a millisecond above it up to ten seconds', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 1, max: 10_000 })), { minLength: 1, maxLength: 4 }), (agents) => {
        const all = agents.flat().toSorted((a, b) => a - b);
        const exact = all[Math.ceil(all.length * 0.95) - 1];
        const { acquireP95Ms } = summarizeAcquired(agents.map((each) => told(each)));
        if (exact === undefined || acquireP95Ms === undefined) return assert.equal(acquireP95Ms, exact);
        assert.ok(acquireP95Ms >= exact && acquireP95Ms <= exact * 1.28 + 1, `${acquireP95Ms} for ${exact}`);
      }),
    );
  });
});
