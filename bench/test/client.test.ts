import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Lines } from '../src/client/lines.ts';
import { expectOutcome, readMessage, readOutcome } from '../src/client/message.ts';

describe('the lines of a stream', () => {
  it('are the same however the stream is cut', () => {
    const line = fc.string().filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(20)), (expected, cuts) => {
        let text = expected.map((each) => `${each}\n`).join('');
        const lines = new Lines();
        const found: string[] = [];
        for (const cut of cuts) {
          found.push(...lines.push(text.slice(0, cut)));
          text = text.slice(cut);
        }
        found.push(...lines.push(text));
        assert.deepEqual(found, expected);
        assert.equal(lines.unfinished, false);
      }),
    );
  });

  it('leave a rest where the stream ends within one', () => {
    const lines = new Lines();
    assert.deepEqual(lines.push('a\nb'), ['a']);
    assert.equal(lines.unfinished, true);
  });
});

describe('a message that the client reads', () => {
  it('is refused without the fields that a measure uses', () => {
    for (const value of [null, {}, { type: 'stdout', seq: 1 }, { type: 'finished', execution: 'e', status: 'ok' }]) {
      assert.throws(() => readMessage(value), Error);
    }
  });

  it('ends the measure where it is a gap: events were lost', () => {
    assert.throws(() => readMessage({ type: 'gap', seq: 9, from: 1, to: 9 }), /events were lost/);
  });

  it('keeps the text of a result', () => {
    const value = { type: 'result', seq: 3, execution: 'e', data: { 'text/plain': '2' }, metadata: {} };
    assert.deepEqual(readMessage(value), { type: 'result', seq: 3, execution: 'e', text: '2' });
  });
});

describe('an outcome', () => {
  const outcome = readOutcome({ status: 'ok', result: { data: { 'text/plain': '2' } } });

  it('is what was expected, or ends the measure', () => {
    expectOutcome(outcome);
    expectOutcome(outcome, '2');
    assert.throws(() => expectOutcome(outcome, '3'), /expected ok with 3/);
    assert.throws(() => expectOutcome({ status: 'error', result: undefined }), /is error/);
  });
});
