import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SMALL } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { Refusal, type RouterClient } from './support/router-client.ts';

/** What a client is told that nothing can be wrong with, but for its time. */
const isRetryable = (thrown: unknown): boolean => thrown instanceof Refusal && thrown.problem.retryable;

/** Tries again as a client does, until it is not refused for the moment alone. */
async function retried<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await sleep(50);
    }
  }
}

const readyPods = async (client: RouterClient): Promise<number[]> => {
  const { items } = (await (await client.fetch('/v1/pools')).json()) as { items: { readyPods: number }[] };
  return items.map((pool) => pool.readyPods);
};

describe('routers that find the agents of a cluster', function () {
  this.timeout(300_000);
  const release = withRelease('finds');

  it('are ready where there is no pool, and say so', async () => {
    const router = await release().startRouter();
    await router.ready();
    const client = release().clientOf(router);
    assert.deepEqual(await readyPods(client), []);
    assert.deepEqual(await client.list(), []);
    assert.match(await router.metrics(), /^replpool_watch_last_event_seconds\{resource="pods"\} \d/m);
    await assert.rejects(client.session(), isRetryable);
    await router.kill();
  });

  it('know the same pods, and each other’s sessions at once', async () => {
    const pool = release().pool('found');
    const early = await release().startRouter();
    await pool.apply({ ...SMALL, replicas: 2 });
    await pool.settled(2);
    const late = await release().startRouter();
    await late.ready();
    const [a, b] = [release().clientOf(early), release().clientOf(late)];
    for (const client of [a, b]) while ((await readyPods(client))[0] !== 2) await sleep(50);
    for (let i = 0; i < 4; i++) {
      const [here, there] = i % 2 === 0 ? [a, b] : [b, a];
      // An agent on a busy machine may fall silent for a moment, which is no news of discovery.
      const id = randomUUID();
      const session = await retried(() => here.session({ id }));
      assert.equal(session.pool, pool.fullName);
      const { result } = await retried(() => there.run(id, '6 * 7', 'only'));
      assert.equal(result?.data['text/plain'], '42');
    }
    const [ofA, ofB] = [await retried(() => a.list()), await retried(() => b.list())];
    assert.deepEqual(ofA.sort(), ofB.sort());
    assert.equal(ofA.length, 4);
  });

  it('answer 503 and never 404 for a session as long as they have not heard its agent', async () => {
    const known = release().clientOf(await release().startRouter());
    const ids = await retried(() => known.list());
    const [id] = ids;
    assert.ok(id);
    // From the first moment that it listens, which is long before it knows anything.
    const fresh = await release().startRouter();
    const client = release().clientOf(fresh);
    const session = await retried(() => client.get(id));
    assert.equal(session.id, id);
    await fresh.ready();
  });

  it('lose a pod’s sessions with the pod, and take up the one in its place', async () => {
    const pool = release().pool('found');
    const client = release().clientOf(await release().startRouter());
    const { id, pod } = await retried(() => client.session());
    const doomed = (await pool.pods()).find(({ name }) => name === pod) ?? assert.fail(pod);
    await pool.deletePodAtOnce(pod);
    const lost = await retried(async () => {
      for (;;) {
        await client.get(id);
        await sleep(50);
      }
    }).catch((error: unknown) => error);
    assert.ok(lost instanceof Refusal, String(lost));
    assert.equal(lost.problem.code, 'SESSION_LOST');
    await pool.podsUntil((pods) => pods.every(({ uid }) => uid !== doomed.uid));
    await pool.settled(2);
    while ((await readyPods(client))[0] !== 2) await sleep(50);
  });
});
