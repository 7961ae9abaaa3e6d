import assert from 'node:assert/strict';
import type { EventLog } from '../src/session/event-log.ts';
import { PendingInputs } from '../src/session/pending-inputs.ts';

const nowhere = { append: () => undefined } as unknown as EventLog;
const asks = (request: string, execution: string, main = false) => ({
  ...{ type: 'input_request' as const, n: 1, ack: 0, request, execution, main },
  ...{ prompt: '', password: false, pipes: [0, 0] as [number, number] },
});

describe('calls of input() that wait', () => {
  it('hold up their own execution, and none that comes after it', () => {
    const inputs = new PendingInputs(nowhere);
    inputs.add(asks('1', 'first'));
    inputs.add(asks('2', 'second', true));
    assert.deepEqual(inputs.waitingOf('first'), { threads: true, code: false });
    assert.deepEqual(inputs.waitingOf('second'), { threads: false, code: true });
    assert.equal(inputs.take('second', 'answered'), '2');
    assert.deepEqual(inputs.waitingOf('second'), { threads: false, code: false });
    assert.deepEqual(inputs.waitingOf(undefined), { threads: false, code: false });
  });

  it('are a thousand at most, each with a number of its own', () => {
    const inputs = new PendingInputs(nowhere);
    for (let each = 0; each < 1000; each += 1) assert.ok(inputs.add(asks(`${each}`, 'first')));
    assert.ok(!inputs.add(asks('one more', 'first')));
    assert.equal(inputs.take('first', 'answered'), '0');
    assert.ok(!inputs.add(asks('1', 'first')));
    assert.ok(inputs.add(asks('one more', 'first')));
    inputs.clear();
    assert.throws(() => inputs.take('first', 'eof'), { code: 'NO_INPUT_PENDING' });
  });
});
