import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Lines } from '../src/lines.ts';

describe('lines that come in chunks', () => {
  it('are those of the text, wherever it was cut', () => {
    const chunks = fc.array(fc.stringMatching(/^[ab\n]{0,5}$/), { maxLength: 20 });
    fc.assert(
      fc.property(chunks, (all) => {
        const lines = new Lines(1_000);
        const read = all.flatMap((chunk) => [...lines.push(chunk)]);
        assert.deepEqual(read, all.join('').split('\n').slice(0, -1));
      }),
    );
  });

  it('are refused where one is too long, also before its end has come', () => {
    const lines = new Lines(4);
    assert.deepEqual([...lines.push('1234\n12')], ['1234']);
    assert.throws(() => [...lines.push('345')], /longer than 4 characters/);
    assert.throws(() => [...new Lines(4).push('12345\n')], /longer than 4 characters/);
  });
});
