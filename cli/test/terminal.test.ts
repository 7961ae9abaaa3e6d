import assert from 'node:assert/strict';
import type { Key } from 'node:readline';
import { hiddenText } from '../src/terminal/hidden-text.ts';
import { fitsRow, lineTail } from '../src/terminal/line-tail.ts';
import { pastedLines } from '../src/terminal/paste.ts';

describe('a terminal', () => {
  it('takes a pasted text line by line, whatever its line ends are, and none of its control characters', () => {
    assert.deepEqual(pastedLines('a\r\nb\rc\n'), [
      { text: 'a', goesOn: true },
      { text: 'b', goesOn: true },
      { text: 'c', goesOn: true },
      { text: '', goesOn: false },
    ]);
    assert.deepEqual(pastedLines('\tx\x1b[2J\x03é'), [{ text: '\tx[2Jé', goesOn: false }]);
  });

  it('knows what stands on the row of the cursor', () => {
    assert.equal(lineTail('', 'a\nb'), 'b');
    assert.equal(lineTail('a', 'b'), 'ab');
    assert.equal(lineTail('a', 'b\n'), '');
    assert.equal(lineTail('10 %', '\r20 %'), '20 %');
    assert.equal(lineTail('', '20 %\r'), '20 %');
  });

  it('takes a tail for one row only where it surely is one', () => {
    assert.equal(fitsRow('x'.repeat(78), 80), true);
    assert.equal(fitsRow('x'.repeat(79), 80), false);
    assert.equal(fitsRow('日'.repeat(40), 80), false);
    assert.equal(fitsRow(`\x1b[31m${'x'.repeat(78)}\x1b[0m`, 80), true);
  });

  it('edits a hidden line by text, Backspace and Ctrl-U alone', () => {
    const press = (text: string, typed: string | undefined, key: Key): string =>
      hiddenText(text, { kind: 'key', text: typed, key });
    assert.equal(press('a', 'é', { name: 'é' }), 'aé');
    assert.equal(press('a😀', '\x7f', { name: 'backspace' }), 'a');
    assert.equal(press('abc', '\x15', { name: 'u', ctrl: true }), '');
    assert.equal(press('abc', undefined, { name: 'up', sequence: '\x1b[A' }), 'abc');
    assert.equal(press('abc', '\x17', { name: 'w', ctrl: true }), 'abc');
  });
});
