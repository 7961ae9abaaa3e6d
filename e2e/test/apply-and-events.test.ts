import assert from 'node:assert/strict';
import { apply, classify, create, isRecord, remove, resources } from '@replpool/kube';
import { EventRecorder } from '@replpool/operator';
import { pino } from 'pino';
import { TestNamespace, until } from './support/api-namespace.ts';

const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

/** The failure that a call ended with. */
async function failureOf(call: Promise<unknown>): Promise<string> {
  return await call.then(() => 'none', classify);
}

describe('writing to a real API server', () => {
  it('applies, takes away what it no longer applies, and leaves what others set', async () => {
    await using at = await TestNamespace.create();
    const metadata = { name: 'a', namespace: at.name };
    await apply(at.client, resources.configMaps, { metadata, data: { ours: '1', old: '1' } });
    const path = `/api/v1/namespaces/${at.name}/configmaps/a`;
    const theirs = { data: { theirs: '1' } };
    await at.client.request({ method: 'PATCH', path, body: theirs, contentType: 'application/merge-patch+json' });
    const after = await apply(at.client, resources.configMaps, { metadata, data: { ours: '2' } });
    assert.deepEqual(after.data, { ours: '2', theirs: '1' });
    const same = await apply(at.client, resources.configMaps, { metadata, data: { ours: '2' } });
    assert.equal(same.metadata.resourceVersion, after.metadata.resourceVersion, 'an apply that changes nothing writes');
  });

  it('applies the status subresource apart from the object', async () => {
    await using at = await TestNamespace.create();
    const metadata = { name: 'a', namespace: at.name };
    const container = { name: 'c', image: 'none.local/none' };
    await apply(at.client, resources.pods, { metadata, spec: { schedulerName: 'nobody', containers: [container] } });
    const condition = { type: 'replpool.dev/Test', status: 'True' };
    const status = { conditions: [condition] };
    const after = await apply(at.client, resources.pods, { metadata, status }, { subresource: 'status' });
    assert.ok(isRecord(after.status) && Array.isArray(after.status.conditions));
    assert.ok(after.status.conditions.some((it) => isRecord(it) && it.type === condition.type));
    assert.ok(isRecord(after.spec) && Array.isArray(after.spec.containers));
  });

  it('deletes only the object that was looked at', async () => {
    await using at = await TestNamespace.create();
    const metadata = { name: 'a', namespace: at.name };
    const first = await create(at.client, resources.configMaps, { metadata, data: { value: '1' } });
    await at.write('a', { other: '2' });
    assert.equal(await failureOf(remove(at.client, resources.configMaps, first, { unchanged: true })), 'Conflict');
    assert.equal(await remove(at.client, resources.configMaps, first), true);
    assert.equal(await remove(at.client, resources.configMaps, first), false);
    await create(at.client, resources.configMaps, { metadata });
    assert.equal(await failureOf(remove(at.client, resources.configMaps, first)), 'Conflict');
  });

  it('classifies what it is refused', async () => {
    await using at = await TestNamespace.create();
    const metadata = { name: 'a', namespace: at.name };
    await create(at.client, resources.configMaps, { metadata });
    assert.equal(await failureOf(create(at.client, resources.configMaps, { metadata })), 'AlreadyExists');
    const wrong = { metadata: { ...metadata, name: 'NOT A NAME' } };
    assert.equal(await failureOf(create(at.client, resources.configMaps, wrong)), 'Invalid');
    const stale = { metadata: { ...metadata, uid: '00000000-0000-0000-0000-000000000000' } };
    assert.equal(await failureOf(apply(at.client, resources.configMaps, stale)), 'Conflict');
    const missing = { metadata: { ...stale.metadata, name: 'missing' } };
    assert.equal(await failureOf(apply(at.client, resources.configMaps, missing)), 'Conflict');
    assert.equal(
      await failureOf(apply(at.client, { ...resources.configMaps, plural: 'nothings' }, { metadata })),
      'NotFound',
    );
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q' },
      spec: { hard: { services: '0' } },
    };
    await at.client.request({ method: 'POST', path: `/api/v1/namespaces/${at.name}/resourcequotas`, body: quota });
    // The quota holds once its controller has counted.
    let tried = 0;
    await until(async () => {
      tried += 1;
      const service = { metadata: { ...metadata, name: `s${tried}` }, spec: { ports: [{ port: 80 }] } };
      return (await failureOf(create(at.client, resources.services, service))) === 'Quota';
    });
  });

  it('tells that the namespace ends', async () => {
    const at = await TestNamespace.create();
    const held = { metadata: { name: 'held', namespace: at.name, finalizers: ['replpool.dev/test'] } };
    await apply(at.client, resources.configMaps, held);
    await at.client.request({ method: 'DELETE', path: `/api/v1/namespaces/${at.name}` });
    const metadata = { name: 'a', namespace: at.name };
    assert.equal(await failureOf(create(at.client, resources.configMaps, { metadata })), 'NamespaceTerminating');
    await apply(at.client, resources.configMaps, { metadata: { name: 'held', namespace: at.name } });
    at.client[Symbol.dispose]();
  });
});

describe('events at a real API server', () => {
  it('count repeats in one event, with the object that they are about', async () => {
    await using at = await TestNamespace.create();
    const object = await create(at.client, resources.configMaps, { metadata: { name: 'a', namespace: at.name } });
    await using recorder = new EventRecorder({ client: at.client, log, instance: 'operator-1' });
    const transition = {
      type: 'Warning',
      reason: 'QuotaExceeded',
      action: 'CreatePod',
      note: 'x'.repeat(2_000),
    } as const;
    for (let count = 0; count < 4; count++) {
      recorder.record(object, transition);
      await recorder.settled();
    }
    recorder.record(object, { type: 'Normal', reason: 'Ready', action: 'Reconcile', note: 'ready', related: object });
    await recorder.settled();
    const events = await at.list(`/apis/events.k8s.io/v1/namespaces/${at.name}/events`);
    const seen = events.map(({ reason, type, series }) => [reason, type, isRecord(series) ? series.count : 1]);
    assert.deepEqual(seen.sort(), [
      ['QuotaExceeded', 'Warning', 4],
      ['Ready', 'Normal', 1],
    ]);
    const [event] = events;
    assert.ok(isRecord(event?.regarding));
    assert.deepEqual([event.regarding.kind, event.regarding.uid], ['ConfigMap', object.metadata.uid]);
  });
});
