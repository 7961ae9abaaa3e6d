import assert from 'node:assert/strict';
import { systemClock } from '@replpool/kube';
import { replPoolSpecSchema } from '@replpool/protocol';
import { pino } from 'pino';
import { Certificates } from '../src/certificates/certificates.ts';
import { LIFETIMES } from '../src/certificates/lifetimes.ts';
import type { Pool } from '../src/specs/owned.ts';
import { FakeObjects } from './fake-objects.ts';

const CA = '/api/v1/namespaces/system/secrets/replpool-ca';
const POOL = '/api/v1/namespaces/team/secrets/replpool-pool-data-tls';
const pool: Pool = { name: 'data', namespace: 'team', uid: 'pool', spec: replPoolSpecSchema.parse({}) };
const garbage = { 'ca.crt': 'bm9uc2Vuc2U=' };

async function start() {
  const api = await FakeObjects.start();
  const stop = new AbortController();
  const operate = () => {
    const certificates = new Certificates({
      ...{ client: api.server.client, clock: systemClock, log: pino({ level: 'silent' }), lifetimes: LIFETIMES },
      ...{ namespace: 'system', release: 'replpool', pools: () => [] },
    });
    return { certificates, running: certificates.run(stop.signal) };
  };
  const first = operate();
  await first.certificates.synced;
  const ensure = () => first.certificates.ensure(pool, stop.signal);
  const close = async () => {
    stop.abort();
    await first.running;
    await api[Symbol.asyncDispose]();
  };
  return { api, ensure, [Symbol.asyncDispose]: close };
}

describe('the Secrets of certificates', () => {
  it("are a pool's by its uid: somebody else's of the same name stays as it was and is named", async () => {
    await using it = await start();
    const foreign = it.api.put(POOL, { type: 'Opaque', metadata: { namespace: 'team' }, data: garbage });
    await assert.rejects(it.ensure(), /ForeignObjectError: Secret team\/replpool-pool-data-tls /);
    assert.equal(it.api.get(POOL), foreign);
  });

  it('are replaced where they can only be replaced', async () => {
    await using it = await start();
    const metadata = { namespace: 'team', ownerReferences: [{ uid: 'pool' }] };
    const stuck = it.api.put(POOL, { type: 'kubernetes.io/tls', immutable: true, metadata, data: garbage });
    await it.ensure();
    assert.notEqual(it.api.get(POOL)?.metadata.uid, stuck.metadata.uid);
  });

  it('are not deleted because somebody refuses to have them changed', async () => {
    await using it = await start();
    const metadata = { namespace: 'team', ownerReferences: [{ uid: 'pool' }] };
    const there = it.api.put(POOL, { type: 'kubernetes.io/tls', metadata, data: garbage });
    it.api.refuse = (method) =>
      method === 'PUT' ? { status: 400, body: { message: 'a webhook says no' } } : undefined;
    await assert.rejects(it.ensure(), /a webhook says no/);
    assert.equal(it.api.get(POOL), there);
    assert.ok(it.api.get(CA) && !it.api.server.requests.some((request) => request.startsWith('DELETE')));
  });
});
