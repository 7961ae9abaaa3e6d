import assert from 'node:assert/strict';
import { measures, measuresNamed } from '../src/measures/index.ts';
import { pssOf } from '../src/measures/smaps.ts';
import { demandEqual, expectedText } from '../src/measures/stdout.ts';
import { reason } from '../src/run-measure.ts';

describe('the measures', () => {
  it('have names of their own and run in one order, however they are asked for', () => {
    const names = measures.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      measuresNamed(['stdout', '1+1']).map(({ name }) => name),
      ['1+1', 'stdout'],
    );
  });

  it('that do not exist are refused with the names of those that do', () => {
    assert.throws(() => measuresNamed(['1+1', 'speed']), /no measure speed; there are 1\+1, sequential/);
  });
});

describe('the comparison of output', () => {
  const expected = expectedText(50);

  it('has lines of 100 bytes, each another', () => {
    const lines = expected.split('\n').slice(0, -1);
    assert.equal(new Set(lines).size, 50);
    assert.ok(lines.every((line) => Buffer.byteLength(line) === 99));
  });

  it('finds a byte that is lost, doubled or wrong, and says where', () => {
    demandEqual(expected, expected);
    assert.throws(() => demandEqual(expected.slice(0, -1), expected), /byte 4999 on: 4999 of 5000/);
    assert.throws(() => demandEqual(expected.slice(0, 300) + expected.slice(200), expected), /on: 5100 of 5000/);
    assert.throws(() => demandEqual(`y${expected.slice(1)}`, expected), /byte 0 on/);
  });
});

describe('the memory of a process', () => {
  it('is the proportional set size of the kernel, in 10^6 bytes', () => {
    assert.equal(pssOf('Rss:  9000 kB\nPss:                5000 kB\nPss_Dirty: 1 kB\n'), 5.12);
    assert.equal(pssOf('Rss: 1 kB\n'), undefined);
  });
});

describe('why a measure failed', () => {
  it('is the first error with its causes, not the one that came while it was cleaned up', () => {
    const first = new Error('the channel broke', { cause: new Error('reset') });
    const error = new SuppressedError(new Error('cannot delete'), first, 'while cleaning up');
    assert.equal(reason(error), 'the channel broke (reset)');
  });
});
