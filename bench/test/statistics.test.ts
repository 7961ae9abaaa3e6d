import assert from 'node:assert/strict';
import fc from 'fast-check';
import { percentile, statistics } from '../src/report/statistics.ts';

const samples = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });

describe('the statistics of samples', () => {
  it('are n, min, median, p95 and p99, whatever order the samples come in', () => {
    const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
    assert.deepEqual(statistics(hundred), { n: 100, min: 1, p50: 50, p95: 95, p99: 99 });
  });

  it('of one sample are that sample', () => {
    assert.deepEqual(statistics([7]), { n: 1, min: 7, p50: 7, p95: 7, p99: 7 });
  });

  it('sort numbers as numbers', () => {
    assert.equal(statistics([9, 10, 100]).p50, 10);
  });

  it('leave the samples as they were', () => {
    const given = [3, 1, 2];
    statistics(given);
    assert.deepEqual(given, [3, 1, 2]);
  });

  it('refuse no samples, and what is no number', () => {
    assert.throws(() => statistics([]), /no samples/);
    assert.throws(() => statistics([1, Number.NaN]), /NaN is no sample/);
  });

  it('are samples that were measured, with at least the share asked for not above them', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
        const value = percentile(
          given.toSorted((a, b) => a - b),
          share,
        );
        const covered = given.filter((sample) => sample <= value).length;
        return given.includes(value) && covered >= share * given.length - 1e-9;
      }),
    );
  });
});
