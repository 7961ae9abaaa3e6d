import assert from 'node:assert/strict';
import { type Condition, conditionsOf, mergeConditions, type PoolFacts } from '../src/pool/conditions.ts';
import { DRAIN_UNTIL_ANNOTATION, problemOf, viewOf } from '../src/pool/observe.ts';
import { type PodObject, toPodObject } from '../src/pool/pod-object.ts';

const healthy: PoolFacts = {
  ...{ replicas: 2, ready: 2, updated: 2, total: 2, maxUnavailable: 1, paused: false, problems: [], atMaximum: false },
};

function said(type: Condition['type'], facts: Partial<PoolFacts>): string {
  const found = conditionsOf({ ...healthy, ...facts }).find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}`;
}

describe('the conditions of a pool', () => {
  it('are all there, and say that all is well where it is', () => {
    assert.deepEqual(
      conditionsOf(healthy).map(({ type, status }) => `${type} ${status}`),
      [
        'Ready True',
        'Progressing False',
        'Degraded False',
        'CapacityLimited False',
        'IsolationUnavailable False',
        'PodsForbidden False',
      ],
    );
  });

  it('say how far the pool is', () => {
    assert.equal(said('Ready', { ready: 1 }), 'True PodsReady');
    assert.equal(said('Ready', { ready: 1, maxUnavailable: 0 }), 'False TooFewPodsReady');
    assert.equal(said('Ready', { ready: 0 }), 'False NoPodReady');
    assert.equal(said('Ready', { replicas: 0, ready: 0 }), 'False ScaledToZero');
    assert.equal(said('Progressing', { ready: 1 }), 'True Starting');
    assert.equal(said('Progressing', { total: 1, updated: 1, ready: 1 }), 'True Scaling');
    assert.equal(said('Progressing', { updated: 1 }), 'True RollingUpdate');
    assert.equal(said('Progressing', { updated: 1, paused: true }), 'False Paused');
  });

  it('tell what waits from what fails', () => {
    const unschedulable = { pod: 'a', kind: 'unschedulable', message: '0/2 nodes' } as const;
    assert.equal(said('CapacityLimited', { problems: [unschedulable] }), 'True Unschedulable');
    assert.equal(said('Degraded', { problems: [unschedulable] }), 'False NothingFails');
    const image = { pod: 'b', kind: 'image', message: 'not found' } as const;
    assert.equal(said('Degraded', { problems: [unschedulable, image] }), 'True ImageUnavailable');
    assert.equal(said('CapacityLimited', { refused: { kind: 'quota', message: 'pods: 2' } }), 'True QuotaExceeded');
    assert.equal(said('PodsForbidden', { refused: { kind: 'quota', message: 'pods: 2' } }), 'False Allowed');
    assert.equal(said('PodsForbidden', { refused: { kind: 'forbidden', message: 'no' } }), 'True AdmissionRefused');
  });

  it('keep the time of their last transition until the status changes', () => {
    const first = mergeConditions([], conditionsOf(healthy), 1, '2026-01-01T00:00:00Z');
    const later = mergeConditions(first, conditionsOf({ ...healthy, ready: 0 }), 2, '2026-01-02T00:00:00Z');
    const time = (type: Condition['type']) => later.find((each) => each.type === type)?.lastTransitionTime;
    assert.equal(time('Ready'), '2026-01-02T00:00:00Z');
    assert.equal(time('Degraded'), '2026-01-01T00:00:00Z');
    assert.ok(later.every(({ observedGeneration }) => observedGeneration === 2));
  });
});

/** A pod as the API server sends it. */
function podOf(status: object, metadata: object = {}): PodObject {
  const named = {
    name: 'a',
    namespace: 'team',
    uid: 'a',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return toPodObject({ metadata: { ...named, ...metadata }, spec: { containers: [] }, status });
}

describe('a pod as the planner sees it', () => {
  const ready = { conditions: [{ type: 'Ready', status: 'True' }], phase: 'Running' };
  const phase = (status: object, metadata: object = {}) => viewOf(podOf(status, metadata), () => undefined).phase;

  it('has one phase', () => {
    assert.equal(phase({ phase: 'Pending' }), 'pending');
    assert.equal(phase({ phase: 'Running' }), 'pending');
    assert.equal(phase(ready), 'ready');
    assert.equal(phase({ phase: 'Failed' }), 'failed');
    assert.equal(phase({ phase: 'Succeeded' }), 'failed');
    assert.equal(phase(ready, { annotations: { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:00:00Z' } }), 'draining');
    assert.equal(phase(ready, { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'terminating');
  });

  it('has no load where its agent was not heard', () => {
    const pod = podOf(ready);
    assert.equal(viewOf(pod, () => undefined).load, undefined);
    assert.deepEqual(viewOf(pod, () => ({ sessions: 1, busy: 0, warm: 0 })).load, {
      sessions: 1,
      busy: 0,
      warm: 0,
    });
  });

  it('says what is wrong with it', () => {
    const waiting = (reason: string, restartCount = 0) =>
      podOf({ containerStatuses: [{ ready: false, restartCount, state: { waiting: { reason } } }] });
    assert.equal(problemOf(waiting('ContainerCreating')), undefined);
    assert.equal(problemOf(waiting('ImagePullBackOff'))?.kind, 'image');
    assert.equal(problemOf(waiting('CreateContainerConfigError'))?.kind, 'config');
    assert.equal(problemOf(waiting('CrashLoopBackOff', 1))?.kind, 'crash');
    assert.equal(problemOf(waiting('', 3))?.kind, 'crash');
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' }];
    assert.equal(problemOf(podOf({ conditions }))?.kind, 'unschedulable');
  });
});
