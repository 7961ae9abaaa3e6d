import assert from 'node:assert/strict';
import type { Clock } from '@replpool/kube';
import { Expectations } from '../src/pool/expectations.ts';

describe('what the operator did and has not seen', () => {
  let now = 0;
  const clock: Clock = { now: () => now, after: () => ({ [Symbol.dispose]: () => undefined }) };

  it('is expected until the store shows it', () => {
    const expectations = new Expectations(clock);
    expectations.created('team/data', 'a', 'r1');
    expectations.deleted('team/data', 'b');
    assert.deepEqual(expectations.unseen('team/data', new Set(['b'])), {
      created: [{ uid: 'a', revision: 'r1' }],
      deleted: new Set(['b']),
    });
    assert.deepEqual(expectations.unseen('team/data', new Set(['a'])), { created: [], deleted: new Set() });
    assert.deepEqual(expectations.unseen('team/data', new Set(['b'])), { created: [], deleted: new Set() });
  });

  it('is forgotten after five minutes, and is of one pool', () => {
    const expectations = new Expectations(clock);
    expectations.created('team/data', 'a', 'r1');
    assert.deepEqual(expectations.unseen('team/other', new Set()).created, []);
    now += 300_001;
    assert.deepEqual(expectations.unseen('team/data', new Set()).created, []);
  });
});
