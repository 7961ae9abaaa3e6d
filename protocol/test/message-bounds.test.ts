import assert from 'node:assert/strict';
import { decodeMessage, encodeMessage, FrameError, frameCodecs, MAX_NESTING, MAX_VALUES } from '../src/index.ts';
import { jsonSafe } from '../src/json-safe.ts';

const nested = (depth: number): unknown => (depth === 1 ? [] : [nested(depth - 1)]);

describe('a message', () => {
  for (const codec of frameCodecs) {
    it(`nests as deep as it may, and no deeper (${codec})`, () => {
      assert.deepEqual(decodeMessage(encodeMessage(nested(MAX_NESTING), codec), codec), nested(MAX_NESTING));
      const deeper = encodeMessage(nested(MAX_NESTING + 1), codec);
      assert.throws(() => decodeMessage(deeper, codec), /deeper than 512/);
    });

    it(`has as many values as it may, and no more (${codec})`, () => {
      const most = Array(MAX_VALUES - 2).fill(0);
      assert.equal((decodeMessage(encodeMessage(most, codec), codec) as unknown[]).length, MAX_VALUES - 2);
      const more = encodeMessage([...most, 0, 0, 0], codec);
      assert.throws(() => decodeMessage(more, codec), new RegExp(`more than ${MAX_VALUES} values`));
    });

    it(`is refused before its values are made (${codec})`, () => {
      const wide = Buffer.alloc(16 * 1024 * 1024, codec === 'json' ? '[],' : 0x80);
      if (codec === 'msgpack') Buffer.from([0xdd, 0x00, 0xff, 0xff, 0xfb]).copy(wide);
      else wide.write('[');
      const before = process.memoryUsage().rss;
      assert.throws(() => decodeMessage(wide, codec), FrameError);
      assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
    });
  }

  it('in JSON may have brackets and commas in its texts, and quotes behind backslashes', () => {
    const message = { '[[[{{{,"\\': `${'['.repeat(1000)}\\"`, b: ['\\', '"', '\\\\"'] };
    assert.deepEqual(decodeMessage(encodeMessage(message, 'json'), 'json'), message);
  });

  it('in msgpack has no extensions: no sets, errors, records or references', () => {
    for (const hex of [
      'd473009101',
      'd4650092a161a162',
      'd4724091a16105',
      'd6690000000191 01',
      'd6ff00000001',
      'd40500',
    ]) {
      assert.throws(() => decodeMessage(Buffer.from(hex.replace(' ', ''), 'hex'), 'msgpack'), /no value of ours/, hex);
    }
  });

  it('is made fit for JSON in one pass, however deep the bytes are in it', () => {
    let deep: unknown = Buffer.from('x');
    for (let i = 0; i < 400; i += 1) deep = i % 2 === 0 ? [deep, 1] : { deep, text: 'a' };
    let safe = jsonSafe(deep);
    for (let i = 399; i >= 0; i -= 1) safe = i % 2 === 0 ? (safe as unknown[])[0] : (safe as { deep: unknown }).deep;
    assert.equal(safe, 'eA==');
    const plain = { a: [1, { b: Number.NaN }] };
    assert.equal(jsonSafe(plain), plain);
  });
});
