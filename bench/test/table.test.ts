import assert from 'node:assert/strict';
import { reportFigure } from '../src/report/figure.ts';
import { shown, table } from '../src/report/table.ts';

const machine = {
  ...{ cpus: 2, cpuModel: 'Fast', kernel: '6.1', node: 'v24', python: '3.12', commit: 'abc' },
  loadBefore: [0.5, 1, 2],
};

const text = table({
  machine,
  smoke: false,
  measures: [
    {
      ...{ name: 'one', seconds: 1, load: 0 },
      figures: [
        reportFigure({ name: 'short', unit: 'ms', samples: [0.1234], floor: { atMost: 5 }, note: 'worth a word' }),
        reportFigure({ name: 'a longer name', unit: '1/s', samples: [1234.5], floor: { atLeast: 2000 } }),
        reportFigure({ name: 'free', unit: 'MB', samples: [6] }),
      ],
    },
    { name: 'two', seconds: 1, load: 0, figures: [], failure: 'it broke' },
  ],
});
const lines = text.split('\n');

describe('the table', () => {
  it('says on which machine, under which load and of which commit it is', () => {
    assert.match(lines[0] ?? '', /^2 × Fast, Linux 6\.1, Node v24, Python 3\.12; load 0\.50 1\.00 2\.00; commit abc$/);
  });

  it('has a row for each figure, with its floor and whether that is met', () => {
    const row = (name: string) => lines.find((line) => line.startsWith(name))?.split(/ {2,}/);
    assert.deepEqual(row('short'), ['short', 'ms', '1', '0.123', '0.123', '0.123', '0.123', '≤ 5', 'yes']);
    assert.deepEqual(row('a longer'), ['a longer name', '1/s', '1', '1235', '1235', '1235', '1235', '≥ 2000', 'NO']);
    assert.deepEqual(row('free'), ['free', 'MB', '1', '6', '6', '6', '6']);
  });

  it('has its columns under each other', () => {
    const [head, ...rows] = lines.slice(2, 6);
    const unit = head?.indexOf('unit') ?? -1;
    assert.deepEqual(
      rows.map((row) => row.slice(unit).split(' ')[0]),
      ['ms', '1/s', 'MB'],
    );
  });

  it('ends with notes, and with the measures that failed', () => {
    assert.deepEqual(lines.slice(-3), ['short: worth a word', 'two FAILED: it broke', '']);
  });

  it('shows three digits that say something', () => {
    assert.deepEqual([0.12345, 1.2345, 12.345, 123.45, 12345.6, 3].map(shown), [
      '0.123',
      '1.23',
      '12.3',
      '123',
      '12346',
      '3',
    ]);
  });
});
