import assert from 'node:assert/strict';
import { type FailureStreak, heldUntil, streakAfter, streakMessage } from '../src/pool/failure-streak.ts';
import { toPodObject } from '../src/pool/pod-object.ts';

const pod = (name: string, phase: string, deletionTimestamp?: string) =>
  toPodObject({
    metadata: {
      name,
      namespace: 'team',
      uid: name,
      resourceVersion: '1',
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    status: { phase, reason: 'Evicted', message: 'The node was low on memory.' },
  });
const failed = (...names: string[]) => names.map((name) => pod(name, 'Failed'));

describe('pods that fail one after the other', () => {
  it('are replaced at once the first time, and later each time', () => {
    let streak: FailureStreak | undefined;
    let now = 0;
    const waits = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => {
      now += 1000;
      streak = streakAfter(streak, failed(name), 'r1', now);
      return streak ? heldUntil(streak) - now : undefined;
    });
    assert.deepEqual(waits, [0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });

  it('are one failure where they fail together, however late each is seen to', () => {
    const lives = [pod('b', 'Running'), pod('c', 'Running')];
    const first = streakAfter(undefined, [...failed('a'), ...lives], 'r1', 0);
    const second = streakAfter(first, failed('b', 'c'), 'r1', 1000);
    assert.equal(second?.count, 1);
    assert.equal(streakAfter(second, [...failed('b'), ...failed('new')], 'r1', 2000)?.count, 2);
  });

  it('are forgotten after ten minutes, and with a new template', () => {
    const streak = streakAfter(undefined, failed('a'), 'r1', 0);
    assert.equal(streakAfter(streak, failed('b'), 'r1', 599_999)?.count, 2);
    assert.equal(streakAfter(streak, failed('b'), 'r1', 600_000)?.count, 1);
    assert.equal(streakAfter(streak, failed('b'), 'r2', 1)?.count, 1);
    assert.equal(streakAfter(streak, [], 'r2', 1), undefined);
  });

  it('are not those that ended because they were deleted', () => {
    const deleted = ['Succeeded', 'Failed'].map((phase) => pod(phase, phase, '2026-01-01T00:00:00Z'));
    assert.equal(streakAfter(undefined, deleted, 'r1', 0), undefined);
  });

  it('are told with their reason from the second one on', () => {
    const first = streakAfter(undefined, failed('a'), 'r1', 0);
    assert.equal(streakMessage(first), undefined);
    assert.equal(
      streakMessage(streakAfter(first, failed('b'), 'r1', 0)),
      '2 pods in a row failed, the last b: Evicted: The node was low on memory.; the next one is made not before 1970-01-01T00:00:10.000Z',
    );
  });

  it('are told as ended where nothing says why, and as who ends a pod from outside says in its conditions', () => {
    const ended = (name: string, status: object = {}) => ({
      ...pod(name, 'Failed'),
      status: { phase: 'Failed', ...status },
    });
    const second = streakAfter(streakAfter(undefined, failed('a'), 'r1', 0), [ended('b')], 'r1', 0);
    assert.match(streakMessage(second) ?? '', /the last b: its containers ended; the next/);
    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: 'full' }];
    const told = streakAfter(second, [ended('c', { conditions })], 'r1', 0);
    assert.match(streakMessage(told) ?? '', /the last c: TerminationByKubelet: full; the next/);
  });
});
