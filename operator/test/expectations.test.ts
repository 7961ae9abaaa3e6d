import assert from 'node:assert/strict';
import type { Clock } from '@replpool/kube';
import { Expectations, type SeenPod } from '../src/pool/expectations.ts';

const POOL = 'team/data';
const seen = (uid: string, draining = false): SeenPod => ({ uid, name: `data-${uid}`, draining });

describe('what the operator did and has not seen', () => {
  let now = 0;
  const clock: Clock = { now: () => now, after: () => ({ [Symbol.dispose]: () => undefined }) };

  it('is expected until the store shows it', () => {
    const expectations = new Expectations(clock);
    expectations.created(POOL, 'a', 'r1');
    expectations.deleted(POOL, 'b');
    expectations.drained(POOL, 'c', 5);
    assert.deepEqual(expectations.unseen(POOL, [seen('b'), seen('c')]), {
      created: [{ uid: 'a', revision: 'r1' }],
      deleted: new Set(['b']),
      drained: new Map([['c', 5]]),
    });
    const nothing = { created: [], deleted: new Set(), drained: new Map() };
    assert.deepEqual(expectations.unseen(POOL, [seen('a'), seen('c', true)]), nothing);
    assert.deepEqual(expectations.unseen(POOL, [seen('b'), seen('c')]), nothing);
  });

  it('is forgotten after five minutes, and is of one pool', () => {
    const expectations = new Expectations(clock);
    expectations.created(POOL, 'a', 'r1');
    assert.deepEqual(expectations.unseen('team/other', []).created, []);
    now += 300_001;
    assert.deepEqual(expectations.unseen(POOL, []).created, []);
  });

  it('is not of a pod that came and went between two looks', () => {
    const expectations = new Expectations(clock);
    expectations.created(POOL, 'a', 'r1');
    expectations.gone(POOL, 'a');
    expectations.gone('team/other', 'b');
    assert.deepEqual(expectations.unseen(POOL, []).created, []);
  });

  it('has names of pods whose creation nobody answered, each to be tried once, until the store shows it', () => {
    const expectations = new Expectations(clock);
    expectations.unsure(POOL, 'data-a');
    expectations.unsure(POOL, 'data-b');
    expectations.unseen(POOL, [seen('a')]);
    assert.equal(expectations.takeUnsure(POOL), 'data-b');
    assert.equal(expectations.takeUnsure(POOL), undefined);
  });
});
