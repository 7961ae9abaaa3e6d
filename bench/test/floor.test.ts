import assert from 'node:assert/strict';
import type { Figure } from '../src/report/figure.ts';
import { reportFigure } from '../src/report/figure.ts';
import type { MeasureReport } from '../src/report/report.ts';
import { exitStatus } from '../src/report/report.ts';

const figure: Figure = { name: 'a figure', unit: 'ms', samples: [1, 5, 900] };

function measure(rest: Partial<MeasureReport>): MeasureReport {
  return { name: 'a measure', figures: [], seconds: 1, load: 0, ...rest };
}

describe('a floor', () => {
  it('of a time is met by a median at most as long, one slow sample or not', () => {
    assert.equal(reportFigure({ ...figure, floor: { atMost: 5 } }).met, true);
    assert.equal(reportFigure({ ...figure, floor: { atMost: 4.9 } }).met, false);
  });

  it('of a rate is met by a median at least as high', () => {
    assert.equal(reportFigure({ ...figure, floor: { atLeast: 5 } }).met, true);
    assert.equal(reportFigure({ ...figure, floor: { atLeast: 5.1 } }).met, false);
  });

  it('that does not exist is neither met nor missed', () => {
    assert.equal('met' in reportFigure(figure), false);
  });
});

describe('the exit status', () => {
  const met = measure({ figures: [reportFigure({ ...figure, floor: { atMost: 5 } }), reportFigure(figure)] });
  const missed = measure({ figures: [reportFigure({ ...figure, floor: { atMost: 1 } })] });
  const failed = measure({ failure: 'a byte was lost' });

  const cases: [string, MeasureReport[], boolean, 0 | 1][] = [
    ['where all floors are met', [met], false, 0],
    ['where one is missed', [met, missed], false, 1],
    ['of a smoke run where one is missed', [met, missed], true, 0],
    ['where a measure failed', [met, failed], false, 1],
    ['of a smoke run where a measure failed', [met, failed], true, 1],
  ];
  for (const [when, measures, smoke, status] of cases) {
    it(`is ${status} ${when}`, () => assert.equal(exitStatus({ measures, smoke }), status));
  }
});
