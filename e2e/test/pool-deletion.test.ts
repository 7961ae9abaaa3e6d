import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { resources } from '@replpool/kube';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { lossOf, type RouterClient, refusalOf } from './support/router-client.ts';

const OWNED = [
  resources.pods,
  resources.configMaps,
  resources.secrets,
  resources.services,
  resources.serviceAccounts,
  resources.podDisruptionBudgets,
  resources.networkPolicies,
] as const;

describe('deleting a pool', function () {
  this.timeout(60_000);
  const release = withRelease('deletion');
  let impatient: RouterClient;
  let client: RouterClient;
  before(async () => {
    impatient = release().clientOf(await release().startRouter());
    client = impatient.patient();
  });

  /** Waits until the pool says that it takes no more sessions; one that it took until then goes at once. */
  async function refuses(pool: TestPool): Promise<void> {
    for (;;) {
      const made = impatient.session({ pool: pool.fullName }).then(({ id }) => client.end(id));
      const refused = await refusalOf(made);
      if (refused?.problem.code === 'DRAINING') return;
    }
  }

  async function nothingIsLeft(pool: TestPool): Promise<void> {
    for (const resource of OWNED) while ((await pool.owned(resource)).length > 0) await sleep(50);
  }

  it('lets what runs end, admits nothing new, and leaves nothing behind', async () => {
    const pool = release().pool('gone');
    await pool.apply({ ...SMALL, replicas: 2, update: { drainSeconds: 300 } });
    await pool.settled(2);
    for (const resource of OWNED) assert.notDeepEqual(await pool.owned(resource), [], `${resource.kind} it has`);
    const [busy, idle] = [await client.session(), await client.session()];
    await client.submit(busy.id, 'asks', 'answer = input()\nanswer');
    await client.run(idle.id, 'x = 41');
    await pool.delete();
    await refuses(pool);
    assert.equal((await client.run(idle.id, 'x + 1')).result?.data['text/plain'], '42');
    const answer = client.run(busy.id, 'answer = input()\nanswer', 'asks');
    await client.input(busy.id, 'asks', 'done');
    assert.equal((await answer).result?.data['text/plain'], "'done'");
    for (const { id } of [busy, idle]) await client.end(id);
    await nothingIsLeft(pool);
  });

  it('ends what runs longer than drainSeconds, with the reason', async () => {
    const pool = release().pool('brief');
    await pool.apply({ ...SMALL, replicas: 1, update: { drainSeconds: 1 } });
    await pool.settled(1);
    const { id } = await client.session({ pool: pool.fullName });
    const running = client.run(id, 'input()');
    await pool.delete();
    const { status, error } = await running;
    assert.equal(status, 'killed');
    assert.ok(error && 'reason' in error);
    assert.equal(error.reason, 'drain');
    assert.equal(await lossOf(client.get(id)), 'drain');
    await nothingIsLeft(pool);
  });
});
