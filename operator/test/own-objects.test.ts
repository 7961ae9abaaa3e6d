import assert from 'node:assert/strict';
import { systemClock } from '@replpool/kube';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { OwnObjects } from '../src/pool/own-objects.ts';
import type { Pool } from '../src/specs/owned.ts';
import { FakeObjects } from './fake-objects.ts';

const KEY = 'team/data';
const OWN = {
  ServiceAccount: '/api/v1/namespaces/team/serviceaccounts/replpool-pool-data',
  Service: '/api/v1/namespaces/team/services/replpool-pool-data',
  PodDisruptionBudget: '/apis/policy/v1/namespaces/team/poddisruptionbudgets/replpool-pool-data',
  NetworkPolicy: '/apis/networking.k8s.io/v1/namespaces/team/networkpolicies/replpool-pool-data',
  ConfigMap: '/api/v1/namespaces/team/configmaps/replpool-pool-data-r1',
};

function poolOf(spec: ReplPoolSpecInput = {}): Pool {
  return { name: 'data', namespace: 'team', uid: 'pool', spec: replPoolSpecSchema.parse(spec) };
}

async function start() {
  const api = await FakeObjects.start();
  const certificates = { ensure: async () => undefined };
  const objects = new OwnObjects(api.server.client, systemClock, 'replpool-system', certificates);
  const { signal } = new AbortController();
  const ensure = (pool = poolOf(), replicas = 1, revision = 'r1') =>
    objects.ensure(KEY, pool, { revision, replicas }, signal);
  const dropOld = () => objects.dropOld(KEY, poolOf(), new Set(), signal);
  return { api, ensure, dropOld, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

describe("a pool's own objects", () => {
  it('are made, and written again only where they are to be others', async () => {
    await using it = await start();
    await it.ensure();
    for (const path of Object.values(OWN)) assert.ok(it.api.get(path), path);
    const before = it.api.server.requests.length;
    await it.ensure();
    assert.equal(it.api.server.requests.length, before);
    await it.ensure(poolOf(), 5);
    const written = it.api.server.requests.slice(before).filter((request) => !request.startsWith('GET'));
    assert.deepEqual(
      written.map((request) => request.replace(/\?.*/, '')),
      [`PATCH ${OWN.PodDisruptionBudget}`],
    );
  });

  for (const [kind, path] of Object.entries(OWN)) {
    it(`are not made of somebody else's ${kind}, which stays as it was and is named`, async () => {
      await using it = await start();
      const owned = { metadata: { namespace: 'team', ownerReferences: [{ uid: 'another pool' }] }, kind };
      for (const foreign of [{ metadata: { namespace: 'team' }, kind }, owned]) {
        const before = it.api.put(path, foreign);
        const name = path.split('/').at(-1);
        await assert.rejects(it.ensure(), new RegExp(`ForeignObjectError: ${kind} team/${name} `));
        assert.equal(it.api.get(path), before);
      }
    });
  }

  it('are still theirs when another operator begins', async () => {
    await using it = await start();
    for (const [kind, path] of Object.entries(OWN)) {
      it.api.put(path, { kind, metadata: { namespace: 'team', ownerReferences: [{ uid: 'pool' }] } });
    }
    await it.ensure();
  });

  it("lose what no pod is of any more, unless its name is somebody else's by then", async () => {
    await using it = await start();
    await it.ensure();
    await it.dropOld();
    assert.equal(it.api.get(OWN.ConfigMap), undefined);

    await it.ensure();
    await it.api.server.client.request({ method: 'DELETE', path: OWN.ConfigMap });
    const foreign = it.api.put(OWN.ConfigMap, { metadata: { namespace: 'team' } });
    await it.dropOld();
    assert.equal(it.api.get(OWN.ConfigMap), foreign);
  });
});
