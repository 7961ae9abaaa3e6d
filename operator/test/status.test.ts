import assert from 'node:assert/strict';
import { DRAIN_UNTIL_ANNOTATION } from '@replpool/protocol';
import { type Condition, conditionsOf, mergeConditions, type PoolFacts } from '../src/pool/conditions.ts';
import { viewOf } from '../src/pool/observe.ts';
import { type PodObject, toPodObject } from '../src/pool/pod-object.ts';
import { problemOf } from '../src/pool/problems.ts';
import { transitionsOf } from '../src/pool/transitions.ts';

const healthy: PoolFacts = {
  ...{
    replicas: 2,
    ready: 2,
    updated: 2,
    outdated: 0,
    total: 2,
    maxUnavailable: 1,
    paused: false,
    problems: [],
    atMaximum: false,
  },
  withoutEffect: [],
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

  it('are never so long that the API server refuses the whole status', () => {
    const problems = [{ pod: 'data-1', kind: 'template', message: '💥'.repeat(30_000) }] as const;
    const found = conditionsOf({ ...healthy, problems }).find(({ type }) => type === 'Degraded');
    assert.equal(found?.status, 'True');
    assert.match(found?.message ?? '', /^pod data-1: 💥/u);
    assert.ok((found?.message.length ?? 0) <= 2_048);
    assert.ok(found?.message.isWellFormed());
  });

  it('say how far the pool is', () => {
    assert.equal(said('Ready', { ready: 1 }), 'True PodsReady');
    assert.equal(said('Ready', { ready: 1, maxUnavailable: 0 }), 'False TooFewPodsReady');
    assert.equal(said('Ready', { ready: 0 }), 'False NoPodReady');
    assert.equal(said('Ready', { replicas: 0, ready: 0 }), 'False ScaledToZero');
    assert.equal(said('Progressing', { ready: 1 }), 'True Starting');
    assert.equal(said('Progressing', { total: 1, updated: 1, ready: 1 }), 'True Scaling');
    assert.equal(said('Progressing', { total: 3 }), 'True Scaling', 'a pod of this revision drains');
    assert.equal(said('Progressing', { updated: 1, outdated: 1 }), 'True RollingUpdate');
    assert.equal(said('Progressing', { updated: 1, outdated: 1, paused: true }), 'False Paused');
  });

  it('tell what the release does not do for the pool', () => {
    const isolation = { kind: 'isolation', message: 'gives the node away' } as const;
    assert.equal(said('IsolationUnavailable', { refused: isolation }), 'True NotAllowed');
    assert.equal(said('PodsForbidden', { refused: isolation }), 'False Allowed');
    const secret = { kind: 'secret', message: 'it is the authority' } as const;
    assert.equal(said('PodsForbidden', { refused: secret }), 'True SecretOfTheRelease');
  });

  it('tell what waits from what fails', () => {
    const unschedulable = { pod: 'a', kind: 'unschedulable', message: '0/2 nodes' } as const;
    assert.equal(said('CapacityLimited', { problems: [unschedulable] }), 'True Unschedulable');
    assert.equal(said('Degraded', { problems: [unschedulable] }), 'False NothingFails');
    const image = { pod: 'b', kind: 'image', message: 'not found' } as const;
    assert.equal(said('Degraded', { problems: [unschedulable, image] }), 'True ImageUnavailable');
    const isolation = { pod: 'c', kind: 'isolation', message: 'no cgroups' } as const;
    assert.equal(said('IsolationUnavailable', { problems: [isolation] }), 'True NodesLackIt');
    assert.equal(said('Degraded', { problems: [isolation] }), 'False NothingFails');
    const template = { pod: 'd', kind: 'template', message: 'template small: no numpy' } as const;
    assert.equal(said('Degraded', { problems: [template] }), 'True TemplateFails');
    assert.equal(said('Degraded', { unreconciled: 'no right to' }), 'True ReconcileFailed');
    assert.equal(said('Degraded', { failing: '3 pods in a row failed' }), 'True PodsFail');
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

describe('the events of a pool', () => {
  const conditions = (facts: Partial<PoolFacts>) =>
    mergeConditions([], conditionsOf({ ...healthy, ...facts }), 1, '2026-01-01T00:00:00Z');
  const events = (before: Partial<PoolFacts> | undefined, now: Partial<PoolFacts>) =>
    transitionsOf(before ? conditions(before) : [], conditions(now)).map(({ type, reason }) => `${type} ${reason}`);
  const image = { problems: [{ pod: 'a', kind: 'image', message: 'not found' }] } as const;
  const crash = { problems: [{ pod: 'a', kind: 'crash', message: 'it ended' }] } as const;

  it('tell that trouble begins, that it is another, and that it is over', () => {
    assert.deepEqual(events({}, image), ['Warning ImageUnavailable']);
    assert.deepEqual(events(undefined, image), ['Warning ImageUnavailable']);
    assert.deepEqual(events(image, crash), ['Warning PodsCrash']);
    assert.deepEqual(events(crash, {}), ['Normal NothingFails']);
  });

  it('tell that a pool is ready, or not any more', () => {
    assert.deepEqual(events({ ready: 0 }, {}), ['Normal PodsReady']);
    assert.deepEqual(events({}, { ready: 0 }), ['Warning NoPodReady']);
  });

  it('do not tell what goes on', () => {
    assert.deepEqual(events(image, image), []);
    assert.deepEqual(events(undefined, { ready: 0 }), []);
    assert.deepEqual(events({ ready: 1 }, { total: 3, updated: 1 }), []);
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

const ready = { conditions: [{ type: 'Ready', status: 'True' }], phase: 'Running' };

/** Agents of which none was ever heard, nor is expected to be. */
const NOBODY = { loadOf: () => undefined, isAwaited: () => false };

describe('a pod as the planner sees it', () => {
  const phase = (status: object, metadata: object = {}) => viewOf(podOf(status, metadata), NOBODY).phase;

  const running = [{ name: 'agent', ready: false, restartCount: 0, state: { running: {} } }];

  it('has one phase', () => {
    assert.equal(phase({ phase: 'Pending' }), 'pending');
    assert.equal(phase({ phase: 'Running' }), 'pending');
    assert.equal(phase({ phase: 'Running', containerStatuses: running }), 'unready');
    assert.equal(phase({ phase: 'Pending', initContainerStatuses: running }), 'pending');
    assert.equal(phase(ready), 'ready');
    assert.equal(phase({ phase: 'Failed', reason: 'Evicted' }), 'failed');
    assert.equal(phase({ phase: 'Succeeded' }), 'failed');
    assert.equal(phase(ready, { annotations: { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:00:00Z' } }), 'draining');
    assert.equal(phase(ready, { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'terminating');
  });

  it('has no load where its agent was not heard', () => {
    const pod = podOf(ready);
    const load = { sessions: 1, busy: 0, warm: 0, draining: false };
    assert.equal(viewOf(pod, NOBODY).load, undefined);
    assert.deepEqual(viewOf(pod, { ...NOBODY, loadOf: () => load }).load, load);
  });

  it('drains to an end though nobody can read the end that was written on it', () => {
    const view = viewOf(podOf(ready, { annotations: { [DRAIN_UNTIL_ANNOTATION]: 'soon' } }), NOBODY);
    assert.deepEqual([view.phase, view.drainsUntil], ['draining', 0]);
  });

  it('has nobody left where it drains and its agent ended', () => {
    const annotations = { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:00:00Z' };
    const unheard = (containerStatuses: object[]) =>
      viewOf(podOf({ phase: 'Running', containerStatuses }, { annotations }), NOBODY).load;
    assert.equal(unheard(running), undefined);
    const nobody = { sessions: 0, busy: 0, warm: 0, draining: true };
    assert.deepEqual(unheard([{ ...running[0], state: { waiting: { reason: 'CrashLoopBackOff' } } }]), nobody);
  });
});

describe('what is wrong with a pod', () => {
  const container = (status: object) => ({ name: 'agent', ready: false, restartCount: 0, ...status });
  const waiting = (reason: string, restartCount = 0) =>
    podOf({ containerStatuses: [container({ restartCount, state: { waiting: { reason } } })] });
  const ended = (message: string, restartCount = 0) =>
    container({ restartCount, lastState: { terminated: { reason: 'Error', exitCode: 1, message } } });

  it('is told from its containers', () => {
    assert.equal(problemOf(waiting('ContainerCreating')), undefined);
    assert.equal(problemOf(waiting('ImagePullBackOff'))?.kind, 'image');
    assert.equal(problemOf(waiting('CreateContainerConfigError'))?.kind, 'config');
    assert.equal(problemOf(waiting('CrashLoopBackOff', 1))?.kind, 'crash');
    assert.equal(problemOf(waiting('', 3))?.kind, 'crash');
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' }];
    assert.equal(problemOf(podOf({ conditions }))?.kind, 'unschedulable');
  });

  it('is told from the last words of an init container too', () => {
    const initContainerStatuses = [
      { ...ended('Collecting nonsense\nERROR: no such package\n', 3), name: 'requirements' },
    ];
    assert.deepEqual(problemOf(podOf({ initContainerStatuses })), {
      ...{ pod: 'a', kind: 'crash' },
      message: 'container requirements ended 3 times, the last time with Error 1: ERROR: no such package',
    });
  });

  it('is its isolation where its agent refused to start for it, the first time already', () => {
    const line = (field: string) => JSON.stringify({ event: 'failed', message: 'no cgroups here', field });
    const refused = (field: string) => problemOf(podOf({ containerStatuses: [ended(`a log\n${line(field)}\n`)] }));
    assert.deepEqual(refused('spec.isolation.cgroups'), { pod: 'a', kind: 'isolation', message: 'no cgroups here' });
    assert.equal(refused('spec.runtime'), undefined);
  });

  it('is a template that does not warm, though the pod is well', () => {
    const pod = podOf(ready);
    assert.equal(problemOf(pod, []), undefined);
    assert.deepEqual(problemOf(pod, [{ template: 'small', message: "No module named 'x'" }]), {
      ...{ pod: 'a', kind: 'template' },
      message: "template small: No module named 'x'",
    });
  });

  it('is nothing where it goes anyway', () => {
    const pod = {
      ...waiting('ErrImagePull'),
      metadata: { ...waiting('').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    assert.equal(problemOf(pod), undefined);
  });
});
