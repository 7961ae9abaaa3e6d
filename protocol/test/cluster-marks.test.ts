import assert from 'node:assert/strict';
import { DRAIN_UNTIL_ANNOTATION, drainsUntil } from '../src/index.ts';

describe('the order to drain on a pod', () => {
  it('says until when; without it the pod does not drain', () => {
    assert.equal(drainsUntil({ [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:00:00Z' }), Date.UTC(2026, 0, 1));
    assert.equal(drainsUntil({ other: '2026-01-01T00:00:00Z' }), undefined);
    assert.equal(drainsUntil(undefined), undefined);
  });

  it('is over where what somebody wrote is no time', () => {
    for (const text of ['', 'now', 'true']) assert.equal(drainsUntil({ [DRAIN_UNTIL_ANNOTATION]: text }), 0);
  });
});
