import assert from 'node:assert/strict';
import { resources } from '@replpool/kube';
import type { ReplPoolSpecInput } from '@replpool/protocol';
import { until } from './support/api-namespace.ts';
import { kubectl } from './support/kubectl.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import type { RouterClient } from './support/router-client.ts';

const spec: ReplPoolSpecInput = { ...SMALL, update: { drainSeconds: 1 } };

describe('the operator', function () {
  this.timeout(300_000);
  const release = withRelease('pool');
  let pool: TestPool;
  let client: RouterClient;
  before(() => {
    pool = release().pool('first');
  });

  it('makes the pods of a pool and says when they take sessions', async () => {
    await pool.apply({ ...spec, replicas: 2 });
    await pool.settled(2);
    assert.equal((await pool.condition('Ready'))?.status, 'True');
    const router = await release().startRouter();
    await router.ready();
    client = release().clientOf(router);
  });

  it('replaces a pod that was deleted', async () => {
    const [gone] = await pool.pods();
    await kubectl('delete', 'pod', gone?.name ?? '', '-n', release().namespace, '--wait=false');
    await pool.podsUntil((pods) => pods.every(({ uid }) => uid !== gone?.uid));
    await pool.settled(2);
  });

  it('scales by kubectl scale, up and down', async () => {
    await pool.scale(3);
    await pool.settled(3);
    await pool.scale(1);
    await pool.settled(1);
  });

  it('tells in the status what the agents say', async () => {
    const session = await client.session();
    await until(async () => (await pool.get()).status.sessions?.active === 1);
    const { warmHitRatio, acquireP95Ms, sessions } = (await pool.get()).status;
    assert.match(warmHitRatio ?? '', /^[01]\.\d\d$/);
    assert.ok((acquireP95Ms ?? 0) > 0);
    assert.equal(sessions?.capacity, SMALL.sessions?.maxPerPod);
    await client.end(session.id);
    await until(async () => (await pool.get()).status.sessions?.active === 0);
  });

  it('scales by itself on free sessions, and holds on to what it has for the delay', async () => {
    const limits = { minReplicas: 1, maxReplicas: 2, targetFreeSessions: 2, scaleDownDelaySeconds: 2 };
    await pool.apply({ ...spec, autoscaling: limits, sessions: { minIdle: 1, maxPerPod: 2 } });
    await pool.settled(1);
    await until(async () => (await client.list()).length === 0);
    const session = await client.session();
    await pool.settled(2);
    await client.end(session.id);
    await pool.settled(1);
  });

  it('rolls a changed pool to its new revision', async () => {
    const [old] = await pool.pods();
    await pool.apply({ ...spec, replicas: 1, sessions: { minIdle: 2 } });
    await pool.podsUntil((pods) => pods.every(({ uid }) => uid !== old?.uid));
    await pool.settled(1);
    assert.equal((await pool.get()).status.updatedReplicas, 1);
  });

  it('leaves a paused pool alone', async () => {
    const patch = (change: object) =>
      kubectl('patch', 'rp/first', '-n', release().namespace, '--type=merge', '-p', JSON.stringify({ spec: change }));
    await patch({ paused: true, replicas: 3 });
    await pool.conditionUntil('Progressing', ({ reason }) => reason === 'Paused');
    assert.equal((await pool.pods()).length, 1);
    await patch({ paused: false });
    await pool.settled(3);
  });

  it('takes all of a pool along when it is deleted', async () => {
    await pool.delete();
    await pool.podsUntil((pods) => pods.length === 0);
    const kinds = ['services', 'podDisruptionBudgets', 'networkPolicies', 'configMaps', 'serviceAccounts'] as const;
    for (const kind of kinds) await until(async () => (await pool.owned(resources[kind])).length === 0);
    const secrets = ['get', 'secret', '-l', `replpool.dev/pool=${pool.name}`, '-n', release().namespace, '-o', 'name'];
    await until(async () => (await kubectl(...secrets)).trim() === '');
  });
});
