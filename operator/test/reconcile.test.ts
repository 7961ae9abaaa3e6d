import assert from 'node:assert/strict';
import { isRecord } from '@replpool/kube';
import { DRAIN_UNTIL_ANNOTATION, type ReplPoolSpecInput } from '@replpool/protocol';
import { pino } from 'pino';
import type { Answered } from '../../kube/test/fake-api-server.ts';
import { ManualClock } from '../../kube/test/manual-clock.ts';
import { EventRecorder } from '../src/index.ts';
import { Expectations } from '../src/pool/expectations.ts';
import { OwnObjects } from '../src/pool/own-objects.ts';
import { toPodObject } from '../src/pool/pod-object.ts';
import type { PodLoad } from '../src/pool/pod-view.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';
import { Reconciler } from '../src/pool/reconcile.ts';
import type { PoolStatus } from '../src/pool/status.ts';
import { revisionOf } from '../src/specs/revision.ts';
import { FakeObjects } from './fake-objects.ts';

const KEY = 'team/data';
const PODS = '/api/v1/namespaces/team/pods';
const BEGIN = Date.UTC(2026, 0, 1);
const settings = { agentImage: 'agent:1' };
const refused = (status: number, reason: string, message: string): Answered => ({ status, body: { reason, message } });

/** A reconciler of one pool on an API server in memory. What its watch shows is what a test lets it see. */
async function start(written: ReplPoolSpecInput = {}) {
  const api = await FakeObjects.start();
  const told: PoolStatus[] = [];
  const reasons: unknown[] = [];
  const serve = api.server.answer;
  api.server.answer = (url, request, body) => {
    const sent: unknown = body === '' ? {} : JSON.parse(body);
    if (isRecord(sent) && url.pathname.endsWith('/events')) reasons.push(sent.reason);
    if (!url.pathname.endsWith('/status')) return serve(url, request, body);
    told.push((sent as { status: PoolStatus }).status);
    return { body: { metadata: { name: 'data', uid: 'pool', resourceVersion: '2' } } };
  };
  const clock = new ManualClock();
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(line) });
  const client = api.server.client;
  const events = new EventRecorder({ client, log, instance: 'op', clock });
  const expectations = new Expectations(clock);
  const drained: string[] = [];
  const loads = new Map<string, PodLoad>();
  const awaited = new Set<string>();
  const needed = new Map<string, boolean>();
  const agents = {
    listen: (uid: string, _endpoint: unknown, isNeeded: boolean) => {
      needed.set(uid, isNeeded);
    },
    loadOf: (uid: string) => loads.get(uid),
    isAwaited: (uid: string) => awaited.has(uid),
    saidOf: () => ({ failures: [] }),
    drain: (uid: string) => {
      drained.push(uid);
    },
  };
  let spec = written;
  let uid = 'pool';
  const pool = () => toPoolObject({ metadata: { name: 'data', namespace: 'team', uid, resourceVersion: '1' }, spec });
  let pods: readonly object[] = [];
  const reconciler = new Reconciler({
    ...{ client, log, events, clock, expectations, settings, agents, pool },
    wallClock: () => BEGIN + clock.now(),
    ownObjects: new OwnObjects(client, clock, 'replpool-system', { ensure: async () => undefined }),
    podsOf: () => pods.map((each) => toPodObject(each as Parameters<typeof toPodObject>[0])),
  });
  const { signal } = new AbortController();
  return {
    ...{ api, clock, events, told, reasons, drained, loads, awaited, needed, logged },
    look: () => reconciler.reconcile(KEY, signal),
    /** A condition of the last status, as `True Reason`. */
    said: (type: string) => {
      const found = told.at(-1)?.conditions?.find((each) => each.type === type);
      return `${found?.status} ${found?.reason}`;
    },
    write: (next: ReplPoolSpecInput) => {
      spec = next;
    },
    /** The pool is deleted, what it owned goes with it, and one of its name is made, before anybody looks. */
    makeAnew: () => {
      api.forgetAll();
      uid = 'another';
    },
    /** A pod in the API server, and in the watch from now on. */
    podIs: (status: object, annotations: Record<string, string> = {}, name = 'data-1') => {
      const labels = { 'replpool.dev/pool': 'data', 'replpool.dev/revision': revisionOf(pool(), settings) };
      const ownerReferences = [{ uid: 'pool' }];
      const metadata = { name, namespace: 'team', labels, annotations, ownerReferences };
      const put = api.put(`${PODS}/${name}`, { metadata, status });
      pods = [...pods.filter((each) => (each as typeof put).metadata.name !== name), put];
      return put.metadata.uid;
    },
    /** How many pods were asked for. */
    made: () => api.server.requests.filter((each) => each.startsWith(`POST ${PODS}?`)).length,
    [Symbol.asyncDispose]: async () => {
      await events[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

const running = [{ name: 'agent', ready: true, restartCount: 0, state: { running: {} } }];
const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: running };
const idle: PodLoad = { sessions: 1, busy: 0, warm: 0, draining: false };

describe('one look at a pool', () => {
  it('makes its pods and tells so', async () => {
    await using it = await start({ replicas: 2 });
    assert.deepEqual(await it.look(), {});
    assert.equal(it.made(), 2);
    assert.equal(it.told.at(-1)?.replicas, 0);
    // The watch shows neither yet.
    await it.look();
    assert.equal(it.made(), 2);
    assert.equal(it.told.at(-1)?.replicas, 2);
    const [condition] = it.told.at(-1)?.conditions ?? [];
    assert.equal(condition?.lastTransitionTime, '2026-01-01T00:00:00.000Z');
  });

  it('expects nothing of a pool of the same name that was deleted meanwhile', async () => {
    await using it = await start({ replicas: 2 });
    await it.look();
    it.makeAnew();
    await it.look();
    assert.equal(it.made(), 4);
  });

  it('tells what it cannot do before it fails, and that it is over', async () => {
    await using it = await start();
    const refuse = (status: number, reason: string) => {
      it.api.refuse = (_method, path) =>
        path.includes('/networkpolicies') ? refused(status, reason, 'spec.egress[0]: not a CIDR') : undefined;
    };
    refuse(422, 'Invalid');
    await assert.rejects(it.look(), /not a CIDR/);
    assert.equal(it.said('Degraded'), 'True ReconcileFailed');
    assert.match(it.told.at(-1)?.conditions?.find(({ type }) => type === 'Degraded')?.message ?? '', /not a CIDR/);
    await it.events.settled();
    assert.deepEqual(it.reasons, ['ReconcileFailed']);
    it.write({ paused: true });
    await it.look();
    assert.equal(it.said('Degraded'), 'True ReconcileFailed');
    it.write({});
    it.api.refuse = () => undefined;
    await it.look();
    assert.equal(it.said('Degraded'), 'False NothingFails');
  });

  it('says nothing of the pool where the API server is in trouble', async () => {
    await using it = await start();
    it.api.refuse = (_method, path) =>
      path.includes('/networkpolicies') ? refused(503, 'ServiceUnavailable', 'no etcd') : undefined;
    await assert.rejects(it.look(), /no etcd/);
    assert.deepEqual(it.told, []);
  });

  it('goes on saying why pods are refused while none is asked for', async () => {
    await using it = await start();
    it.api.refuse = (method, path) =>
      method === 'POST' && path === PODS ? refused(403, 'Forbidden', 'exceeded quota: pods=0') : undefined;
    assert.match((await it.look()).failed ?? '', /exceeded quota/);
    assert.equal(it.said('CapacityLimited'), 'True QuotaExceeded');
    it.write({ paused: true });
    assert.equal((await it.look()).failed, undefined);
    assert.equal(it.said('CapacityLimited'), 'True QuotaExceeded');
    it.write({});
    it.podIs({ phase: 'Failed', reason: 'Evicted' }, {}, 'data-1');
    await it.look();
    it.podIs({ phase: 'Failed', reason: 'Evicted' }, {}, 'data-2');
    const before = it.made();
    await it.look();
    assert.equal(it.made(), before, 'the next pod is held back');
    assert.equal(it.said('CapacityLimited'), 'True QuotaExceeded');
    it.api.refuse = () => undefined;
    it.clock.advance(10_000);
    await it.look();
    assert.equal(it.said('CapacityLimited'), 'False RoomLeft');
  });

  it('tells of a pod that ended without a reason what the kubelet told in an event, and replaces it where events cannot be read', async () => {
    await using it = await start({ replicas: 1 });
    const ended = { phase: 'Succeeded' };
    let asked = '';
    const serve = it.api.server.answer;
    let events: Answered = refused(403, 'Forbidden', 'events are not for you');
    it.api.server.answer = (url, request, body) => {
      if (request.method !== 'GET' || !url.pathname.endsWith('/events')) return serve(url, request, body);
      asked = url.searchParams.get('fieldSelector') ?? '';
      return events;
    };
    it.podIs(ended, {}, 'data-1');
    await it.look();
    assert.equal(it.made(), 1);
    const unread = () => it.logged.filter((line) => /could not be read.*/.test(line) && /not for you/.test(line));
    await it.look();
    assert.equal(unread().length, 1, 'a right that is missing shows, once for each failure');
    events = { body: { metadata: { resourceVersion: '1' }, items: [{ note: 'it used too much' }] } };
    const uid = it.podIs(ended, {}, 'data-2');
    await it.look();
    assert.equal(asked, `regarding.uid=${uid},reason=Evicted`);
    const { message = '' } = it.told.at(-1)?.conditions?.find(({ type }) => type === 'Degraded') ?? {};
    assert.match(message, /the last data-2: Evicted: it used too much;/);
  });

  it('spares a pod that was pending when the watch told of it and may have sessions by now', async () => {
    await using it = await start({ replicas: 0 });
    it.podIs({ phase: 'Pending' });
    const there = it.api.put(`${PODS}/data-1`, { metadata: { namespace: 'team' }, status: ready });
    await it.look();
    assert.equal(it.api.get(`${PODS}/data-1`), there);
    it.podIs({ phase: 'Pending' });
    await it.look();
    assert.equal(it.api.get(`${PODS}/data-1`), undefined);
  });

  it('writes an order to drain down before the agent gets it, with its end on the clock of the wall', async () => {
    await using it = await start({ replicas: 0, update: { drainSeconds: 60 } });
    const uid = it.podIs(ready);
    it.loads.set(uid, idle);
    it.api.refuse = (method, path) =>
      method === 'PATCH' && path.startsWith(PODS) ? refused(500, 'InternalError', 'etcd is slow') : undefined;
    await assert.rejects(it.look(), /etcd is slow/);
    assert.deepEqual(it.drained, []);
    it.api.refuse = () => undefined;
    await it.look();
    assert.deepEqual(it.drained, [uid]);
    const annotations = it.api.get(`${PODS}/data-1`)?.metadata.annotations;
    assert.deepEqual(annotations, { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:01:00.000Z' });
  });

  it('drains nobody by what an agent said before it was asked anew', async () => {
    await using it = await start({ replicas: 0 });
    const uid = it.podIs(ready);
    it.loads.set(uid, idle);
    it.awaited.add(uid);
    await it.look();
    assert.deepEqual(it.drained, []);
    it.awaited.clear();
    await it.look();
    assert.deepEqual(it.drained, [uid]);
  });

  it('drains nobody by what an agent said before the wait for the events of a pod that failed', async () => {
    await using it = await start({ replicas: 0 });
    const uid = it.podIs(ready);
    it.loads.set(uid, idle);
    it.podIs({ phase: 'Succeeded' }, {}, 'data-2');
    const serve = it.api.server.answer;
    let waits = 0;
    it.api.server.answer = (url, request, body) => {
      if (request.method !== 'GET' || !url.pathname.endsWith('/events')) return serve(url, request, body);
      waits += 1;
      it.awaited.add(uid);
      return { body: { metadata: { resourceVersion: '1' }, items: [] } };
    };
    await it.look();
    assert.equal(waits, 1);
    assert.deepEqual(it.drained, []);
  });

  it('needs what agents say where pods come or go, and not where all is as it should be', async () => {
    await using it = await start({ replicas: 1 });
    const at = { ...ready, podIP: '127.0.0.1' };
    const needed = async (spec: ReplPoolSpecInput) => {
      it.write(spec);
      const uid = it.podIs(at);
      await it.look();
      return it.needed.get(uid);
    };
    assert.equal(await needed({ replicas: 1 }), false);
    assert.equal(await needed({ replicas: 2 }), true);
    assert.equal(await needed({ autoscaling: { minReplicas: 1, maxReplicas: 1 } }), true);
    const uid = it.podIs({ ...at, conditions: [] });
    it.write({ replicas: 1 });
    await it.look();
    assert.equal(it.needed.get(uid), true);
    it.podIs(at);
    // Of another revision now than the pod.
    it.write({ replicas: 1, runtime: { warmupCode: 'import json' } });
    await it.look();
    assert.equal(it.needed.get(uid), true);
  });

  it('tells an agent whose order was written down by an operator that went before it could', async () => {
    await using it = await start();
    const uid = it.podIs(ready, { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:01:00Z' });
    it.loads.set(uid, idle);
    assert.deepEqual(await it.look(), { againAfterMs: 60_000 });
    assert.deepEqual(it.drained, [uid]);
  });

  it('ends a drain whose end nobody can read, and does not come again and again for it', async () => {
    await using it = await start();
    const uid = it.podIs(ready, { [DRAIN_UNTIL_ANNOTATION]: 'soon' });
    it.loads.set(uid, idle);
    const { againAfterMs = 0 } = await it.look();
    assert.equal(it.api.get(`${PODS}/data-1`), undefined);
    assert.ok(againAfterMs >= 1000);
    assert.deepEqual(await it.look(), {});
  });
});
