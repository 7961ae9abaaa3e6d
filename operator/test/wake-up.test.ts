import assert from 'node:assert/strict';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import type { FailureStreak } from '../src/pool/failure-streak.ts';
import type { PodView } from '../src/pool/pod-view.ts';
import { type Awaited, wakeUpMs } from '../src/pool/wake-up.ts';

const NOW = 1_000_000;
const pod = (phase: PodView['phase'], drainsUntil: number): PodView => ({
  ...{ name: 'data-1', uid: 'u-1', revision: 'r1', createdAt: 0, load: undefined },
  ...{ phase, drainsUntil },
});

function next(awaited: Partial<Awaited>, spec: ReplPoolSpecInput = {}): number | undefined {
  const nothing: Awaited = { seen: [], streak: undefined, heldMs: undefined };
  return wakeUpMs(replPoolSpecSchema.parse(spec), { ...nothing, ...awaited }, NOW);
}

describe('a pool in which nothing changes', () => {
  it('is not looked at', () => assert.equal(next({}), undefined));

  it('is looked at when a drain ends, the first of several, and a second later where that was due', () => {
    assert.equal(next({ seen: [pod('draining', NOW + 9_000), pod('draining', NOW + 5_000)] }), 5_000);
    assert.equal(next({ seen: [pod('draining', NOW - 9_000)] }), 1_000);
  });

  it('is not for a pod whose drain brought it to its end, or that failed meanwhile: a dead node never lets it go', () => {
    assert.equal(next({ seen: [pod('terminating', NOW - 9_000), pod('failed', NOW - 9_000)] }), undefined);
  });

  it('is not for a drain while it is paused', () => {
    assert.equal(next({ seen: [pod('draining', NOW - 9_000)] }, { paused: true }), undefined);
  });

  it('is when the next pod may be made after failures, and when they are forgotten', () => {
    const streak: FailureStreak = {
      revision: 'r1',
      count: 2,
      at: NOW,
      known: new Set(),
      last: { name: 'data-1', uid: 'u-1' },
      reason: undefined,
    };
    assert.equal(next({ streak }), 10_000);
    assert.equal(next({ streak: { ...streak, at: NOW - 10_000 } }), 590_000);
  });

  it('is when counters were held back, and as autoscaling may go down', () => {
    assert.equal(next({ heldMs: 700, seen: [pod('draining', NOW + 5_000)] }), 700);
    assert.equal(next({}, { autoscaling: { maxReplicas: 2 } }), 15_000);
    assert.equal(next({}, { autoscaling: { maxReplicas: 2, scaleDownDelaySeconds: 3 } }), 4_000);
  });
});
