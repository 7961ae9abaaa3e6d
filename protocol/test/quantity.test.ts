import assert from 'node:assert/strict';
import { parseBytes, parseCores, parseQuantity, quantitySchema } from '../src/index.ts';

describe('a quantity', () => {
  const bytes: [string | number, number][] = [
    ['512Mi', 536_870_912],
    ['1Gi', 1_073_741_824],
    ['1G', 1_000_000_000],
    ['1.5Ki', 1536],
    ['1e3', 1000],
    ['2E3', 2000],
    ['1E', 1e18],
    ['100m', 1],
    [0, 0],
    [4096, 4096],
  ];
  for (const [quantity, expected] of bytes) {
    it(`${quantity} is ${expected} bytes`, () => assert.equal(parseBytes(quantity), expected));
  }

  it('of cpu is a number of cores', () => {
    assert.equal(parseCores('500m'), 0.5);
    assert.equal(parseCores('1'), 1);
    assert.equal(parseCores('0.25'), 0.25);
    assert.equal(parseCores(2), 2);
  });

  for (const text of ['', 'Mi', '-1', '1 Gi', '1gi', '1KiB', '0x10', 'NaN', '1e']) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseQuantity(text), RangeError);
      assert.equal(quantitySchema.safeParse(text).success, false);
    });
  }
});
