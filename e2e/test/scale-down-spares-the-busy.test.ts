import assert from 'node:assert/strict';
import type { Execution, Session } from '@replpool/protocol';
import { Load } from './support/load.ts';
import { PodWatch } from './support/pod-watch.ts';
import { type PoolPod, SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import type { RouterClient } from './support/router-client.ts';

/** So many executions must have run on pods that were on their way out; before a release it is to be 1,000. */
const SPARED = Number(process.env.SPARED_ROUNDS ?? 30);
/** Longer than any execution here takes. */
const drainSeconds = 60;

interface Busy {
  readonly session: Session;
  readonly running: Promise<Execution>;
}

describe('scaling down', function () {
  this.timeout(Math.max(120_000, SPARED * 3_000));
  const release = withRelease('spare');
  let client: RouterClient;
  let pool: TestPool;
  before(async () => {
    client = release()
      .clientOf(await release().startRouter())
      .patient();
    pool = release().pool('spare');
  });

  /** A session on each of these pods, which runs code that waits for an answer. */
  async function busyOn(pods: readonly PoolPod[]): Promise<Busy[]> {
    const sessions: Session[] = [];
    for (const { name } of pods) {
      const passedBy: Session[] = [];
      for (;;) {
        const session = await client.session();
        if (session.pod === name) {
          sessions.push(session);
          break;
        }
        passedBy.push(session);
      }
      for (const { id } of passedBy) await client.end(id);
    }
    const code = 'answer = input()\nanswer';
    for (const { id } of sessions) await client.submit(id, 'asks', code);
    return sessions.map((session) => ({ session, running: client.run(session.id, code, 'asks') }));
  }

  async function answer(busy: readonly Busy[]): Promise<void> {
    for (const { session, running } of busy) {
      await client.input(session.id, 'asks', 'done');
      assert.equal((await running).result?.data['text/plain'], "'done'");
      await client.end(session.id);
    }
  }

  /** Those that are new. Were all idle, they would be the first to go. */
  const without = (pods: readonly PoolPod[], earlier: readonly PoolPod[]) =>
    pods.filter(({ uid }) => !earlier.some((each) => each.uid === uid));
  const names = (pods: readonly PoolPod[]) => pods.map(({ name }) => name).sort();

  it('by hand takes the idle pods, and what runs on the others goes on', async () => {
    await pool.apply({ ...SMALL, replicas: 2, update: { drainSeconds } });
    const old = await pool.settled(2);
    await pool.scale(4);
    const young = without(await pool.settled(4), old);
    const busy = await busyOn(young);
    await pool.scale(2);
    assert.deepEqual(names(await pool.settled(2)), names(young));
    await answer(busy);
  });

  it('by autoscaling takes the idle pods, and what runs on the others goes on', async () => {
    const autoscaling = { minReplicas: 1, maxReplicas: 4, targetFreeSessions: 3, scaleDownDelaySeconds: 1 };
    await pool.apply({ ...SMALL, autoscaling, update: { drainSeconds } });
    const old = await pool.settled(1);
    const guests: Session[] = [];
    while (guests.length < 6) guests.push(await client.session());
    const young = without(await pool.settled(3), old).slice(0, 1);
    const busy = await busyOn(young);
    for (const { id } of guests) await client.end(id);
    assert.deepEqual(names(await pool.settled(1)), names(young));
    await answer(busy);
  });

  it(`never costs an execution: ${SPARED} run on pods that were chosen to go`, async () => {
    await using watch = await PodWatch.start(release().client, release().namespace);
    const is = { ran: 0, spared: 0 };
    await using load = new Load({
      ...{ client, clients: 6, runs: 12, code: 'import time\ntime.sleep(0.05)\n6 * 7' },
      ran: ({ pod }, { status, error }) => {
        assert.equal(status, 'ok', `on ${pod}: ${JSON.stringify(error)}`);
        is.ran += 1;
        if (watch.hasLeft(pod)) is.spared += 1;
      },
    });
    const serving = (pods: readonly PoolPod[]) => pods.filter(({ leaving }) => !leaving);
    await pool.apply({ ...SMALL, replicas: 8, update: { drainSeconds } });
    while (is.spared < SPARED) {
      await pool.scale(8);
      await pool.podsUntil((pods) => serving(pods).filter(({ ready }) => ready).length > 4);
      await pool.scale(2);
      await pool.podsUntil((pods) => serving(pods).length <= 2);
      load.check();
    }
    await load.stop();
    assert.deepEqual(load.lost, []);
    console.log(
      `      ${is.ran} executions, ${is.spared} of them on pods that were chosen to go; retried:`,
      load.retries,
    );
  });
});
