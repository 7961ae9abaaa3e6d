import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@replpool/kube';
import { until } from '../support/api-namespace.ts';
import { kubectl } from '../support/kubectl.ts';
import { type PoolPod, SMALL } from '../support/pool.ts';
import { withRelease } from '../support/release.ts';
import { Refusal } from '../support/router-client.ts';

describe('a node that is drained', function () {
  this.timeout(180_000);
  const release = withRelease('node-drain');
  let cordoned: string | undefined;
  afterEach(async () => {
    if (cordoned !== undefined) await kubectl('uncordon', cordoned);
    cordoned = undefined;
  });

  /** What `kubectl drain` asks for each pod of a node; here for those of one pool, since others' pods share the node. */
  const evict = async ({ name }: PoolPod): Promise<number> => {
    const { namespace, client } = release();
    const metadata = { name, namespace };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    try {
      await client.request({ method: 'POST', path, body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata } });
      return 201;
    } catch (error) {
      if (error instanceof ApiError) return error.status;
      throw error;
    }
  };

  it('gives its pods back one by one, their sessions end with the reason, and new ones land elsewhere', async () => {
    const pool = release().pool('data');
    await pool.apply({ ...SMALL, replicas: 2, update: { drainSeconds: 5 } });
    const pods = await pool.settled(2);
    const [first] = pods;
    assert.ok(first);
    const router = await release().startRouter();
    await router.ready();
    const client = release().clientOf(router);
    const sessions = [];
    for (let count = 0; count < 4; count += 1) sessions.push(await client.session({ pool: pool.fullName }));
    const lost = sessions.find(({ pod }) => pod === first.name);
    const kept = sessions.find(({ pod }) => pod !== first.name);
    assert.ok(lost && kept, 'both pods were to have sessions');

    cordoned = first.node;
    await kubectl('cordon', first.node);
    assert.equal(await evict(first), 201);
    // The budget allows one at a time: until the first is replaced, the others stay.
    for (const other of pods.slice(1)) assert.equal(await evict(other), 429);
    await pool.podsUntil((now) => now.every(({ uid }) => uid !== first.uid));
    await until(async () => {
      const refusal = await client.get(lost.id).then(
        () => undefined,
        (error: unknown) => error,
      );
      return refusal instanceof Refusal && refusal.lostReason === 'drain';
    });
    assert.equal((await client.run(kept.id, '1 + 1')).result?.data['text/plain'], '2');
    const replaced = await pool.settled(2);
    assert.ok(replaced.every(({ node, uid }) => node !== first.node || pods.some((pod) => pod.uid === uid)));

    const fresh = await client.session({ pool: pool.fullName });
    assert.ok(replaced.some(({ name }) => name === fresh.pod));
    // Then it is the next one's turn.
    for (const other of replaced.filter(({ node }) => node === first.node)) {
      while ((await evict(other)) === 429) await sleep(200);
    }
    await pool.podsUntil((now) => now.every(({ node, leaving }) => node !== first.node && !leaving));
    await pool.settled(2);
  });
});
