import assert from 'node:assert/strict';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import type { PodView } from '../src/pool/pod-view.ts';
import { Replicas } from '../src/pool/replicas.ts';

const KEY = 'team/data';
const DELAY_MS = 300_000;
const autoscaled = {
  autoscaling: { minReplicas: 1, maxReplicas: 10, targetFreeSessions: 8, scaleDownDelaySeconds: DELAY_MS / 1000 },
  sessions: { maxPerPod: 32 },
};

function pod(phase: PodView['phase'], sessions?: number): PodView {
  const load = sessions === undefined ? undefined : { sessions, busy: 0, warm: 0, draining: phase === 'draining' };
  return { name: 'data-1', uid: 'u-1', revision: 'r1', createdAt: 0, phase, load };
}

const many = (count: number, phase: PodView['phase'], sessions?: number) =>
  Array.from({ length: count }, () => pod(phase, sessions));

/** What is wanted after each of some looks, with more than the delay between them. */
function wantedAfter(looks: readonly (readonly PodView[])[], spec: ReplPoolSpecInput = autoscaled): number[] {
  const replicas = new Replicas();
  const parsed = replPoolSpecSchema.parse(spec);
  return looks.map((seen, index) => replicas.wanted(KEY, parsed, seen, index * (DELAY_MS + 1)).replicas);
}

describe('the replicas of a pool', () => {
  it('are those of its spec where it does not scale by itself', () => {
    assert.deepEqual(wantedAfter([many(7, 'ready', 32)], { replicas: 3 }), [3]);
  });

  it('follow the sessions that agents tell of', () => {
    assert.deepEqual(wantedAfter([many(4, 'ready', 0), many(4, 'ready', 0), many(1, 'ready', 32)]), [4, 1, 2]);
  });

  it('stay while agents are not heard, however long: they may be full', () => {
    const unheard = many(4, 'ready');
    assert.deepEqual(wantedAfter([unheard, unheard, unheard]), [4, 4, 4]);
    const troubled = [...many(3, 'ready', 0), pod('unready')];
    assert.deepEqual(wantedAfter([troubled, troubled]), [4, 2]);
  });

  it('do not grow for it, or each new pod would call for another until its agent is heard', () => {
    for (const pods of [1, 3, 9]) {
      const unheard = many(pods, 'unready');
      assert.deepEqual(wantedAfter([unheard, unheard]), [pods, pods]);
    }
    assert.deepEqual(wantedAfter([[], [...many(2, 'ready', 30), pod('unready')]]), [1, 3]);
  });

  it('do not count for full what never ran, nor what drains anyway', () => {
    assert.deepEqual(wantedAfter([[], [pod('ready', 0), ...many(3, 'pending')]]), [1, 1]);
    assert.deepEqual(wantedAfter([[], [pod('ready', 0), ...many(3, 'draining')]]), [1, 1]);
  });

  it('are as many as serve when an operator begins, without those that drain', () => {
    assert.deepEqual(wantedAfter([[...many(2, 'ready', 0), ...many(8, 'draining', 1)]]), [2]);
  });
});
