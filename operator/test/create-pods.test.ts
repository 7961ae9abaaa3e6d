import assert from 'node:assert/strict';
import { systemClock } from '@replpool/kube';
import { pino } from 'pino';
import { FakeApiServer } from '../../kube/test/fake-api-server.ts';
import { EventRecorder } from '../src/index.ts';
import { createPods } from '../src/pool/create-pods.ts';
import { Expectations } from '../src/pool/expectations.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';

const KEY = 'team/data';
const POD_NAME = /^data-[bcdfghjklmnpqrstvwxz2456789]{5}$/;
const pool = toPoolObject({
  metadata: { name: 'data', namespace: 'team', uid: 'pool', resourceVersion: '1' },
  spec: {},
});

/** An API server with pods by their names; `lose` takes a creation in and answers as a proxy in trouble does. */
async function start() {
  const server = await FakeApiServer.start();
  const made = new Map<string, { metadata: Record<string, unknown> }>();
  const it = { made, lose: false, refuse: undefined as { status: number; reason: string } | undefined };
  server.answer = (url, { method }, body) => {
    if (!url.pathname.includes('/pods')) return { body: { metadata: { name: 'e', uid: 'e', resourceVersion: '1' } } };
    if (method === 'GET') return { body: made.get(url.pathname.split('/').at(-1) ?? '') };
    if (it.refuse)
      return { status: it.refuse.status, body: { reason: it.refuse.reason, message: 'exceeded quota: pods=2' } };
    const { metadata } = JSON.parse(body) as { metadata: { name: string } };
    if (made.has(metadata.name)) return { status: 409, body: { reason: 'AlreadyExists' } };
    const pod = { metadata: { ...metadata, uid: `uid-${made.size}`, resourceVersion: '1' } };
    made.set(metadata.name, pod);
    return it.lose ? { status: 504, body: 'no answer in time' } : { body: pod };
  };
  const log = pino({ level: 'silent' });
  const events = new EventRecorder({ client: server.client, log, instance: 'op' });
  const expectations = new Expectations(systemClock);
  const parts = { client: server.client, events, expectations, settings: { agentImage: 'agent:1' } };
  const { signal } = new AbortController();
  const create = (count: number, of = pool) => createPods(parts, KEY, of, { count, revision: 'r1' }, signal);
  const close = async () => {
    await events[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  return { it, create, expectations, [Symbol.asyncDispose]: close };
}

describe('making pods', () => {
  it('gives each a name of its own and expects it', async () => {
    await using api = await start();
    assert.equal(await api.create(3), undefined);
    assert.equal(api.it.made.size, 3);
    for (const name of api.it.made.keys()) assert.match(name, POD_NAME);
    assert.equal(api.expectations.unseen(KEY, []).created.length, 3);
  });

  it('makes none twice where the answer was lost', async () => {
    await using api = await start();
    api.it.lose = true;
    await assert.rejects(api.create(1));
    api.it.lose = false;
    assert.equal(await api.create(1), undefined);
    assert.equal(api.it.made.size, 1);
    assert.deepEqual(api.expectations.unseen(KEY, []).created, [{ uid: 'uid-0', revision: 'r1' }]);
  });

  it('makes none where the release does not do what the pool asks for, and says so', async () => {
    await using api = await start();
    const isolation = { ...pool.spec.isolation, cgroups: 'Privileged' as const };
    const refused = await api.create(1, { ...pool, spec: { ...pool.spec, isolation } });
    assert.equal(refused?.kind, 'isolation');
    assert.equal(api.it.made.size, 0);
  });

  it('says why the API server refuses them', async () => {
    await using api = await start();
    api.it.refuse = { status: 403, reason: 'Forbidden' };
    const refused = await api.create(2);
    assert.equal(refused?.kind, 'quota');
    assert.match(refused?.message ?? '', /exceeded quota/);
  });
});
