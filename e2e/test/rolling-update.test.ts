import assert from 'node:assert/strict';
import type { Execution, Session } from '@replpool/protocol';
import { Load } from './support/load.ts';
import { PodWatch } from './support/pod-watch.ts';
import { type PoolPod, SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { lossOf, type RouterClient } from './support/router-client.ts';

const ASKS = 'answer = input()\nanswer';
const VERSION = "import os\nos.environ['VERSION']";

/** Room for all clients on each single pod, so that a lack of it is never why a session lands somewhere. */
const roomy = { ...SMALL, sessions: { maxPerPod: 32, minIdle: 2 } };
const ofVersion = (value: string) => ({ env: [{ name: 'VERSION', value }] });

describe('a rolling update', function () {
  this.timeout(120_000);
  const release = withRelease('update');
  let client: RouterClient;
  before(async () => {
    client = release()
      .clientOf(await release().startRouter())
      .patient();
  });

  /** A session on each of the pods. */
  async function oneOnEach(pool: TestPool, pods: readonly PoolPod[]): Promise<Map<string, Session>> {
    const byPod = new Map<string, Session>();
    while (byPod.size < pods.length) {
      const session = await client.session({ pool: pool.fullName });
      if (byPod.has(session.pod)) await client.end(session.id);
      else byPod.set(session.pod, session);
    }
    return byPod;
  }

  it('costs no request of a busy pool, no session that ends in time, and takes new ones to the new pods alone', async () => {
    const pool = release().pool('busy');
    const drainSeconds = 8;
    const spec = { ...roomy, replicas: 3, update: { drainSeconds, maxUnavailable: 1, maxSurge: 1 } };
    await pool.apply({ ...spec, runtime: ofVersion('1') });
    const old = await pool.settled(3);
    const names = new Set(old.map(({ name }) => name));
    const { client: kubernetes, namespace } = release();

    // Of three sessions that run code, two are answered when their pods begin to go, and one never is.
    const sessions = await oneOnEach(pool, old);
    const running = new Map<string, Promise<Execution>>();
    for (const [pod, { id }] of sessions) {
      await client.submit(id, 'asks', ASKS);
      running.set(pod, client.run(id, ASKS, 'asks'));
    }
    const [endless, ...patient] = [...sessions.values()];
    assert.ok(endless);
    const answers: Promise<void>[] = [];
    const answered = new Set<string>();
    const answerLeaving = (pods: readonly PoolPod[]): void => {
      for (const { name } of pods.filter(({ leaving }) => leaving)) {
        const session = patient.find(({ pod }) => pod === name);
        if (session === undefined || answered.has(name)) continue;
        answered.add(name);
        answers.push(client.input(session.id, 'asks', 'in time'));
      }
    };
    await using _watch = await PodWatch.start(kubernetes, namespace, answerLeaving);

    let onNew: number | undefined;
    const late: string[] = [];
    await using load = new Load({
      ...{ client, clients: 4, runs: 3, code: VERSION, pool: pool.fullName },
      created: ({ pod }, askedAt) => {
        if (!names.has(pod)) onNew ??= performance.now();
        else if (onNew !== undefined && askedAt > onNew) late.push(pod);
      },
      ran: ({ pod }, { status, result }) => {
        const version = names.has(pod) ? "'1'" : "'2'";
        assert.deepEqual([status, result?.data['text/plain']], ['ok', version], `on ${pod}`);
      },
    });

    await pool.apply({ ...spec, runtime: ofVersion('2') });
    const updated = await pool.settled(3);
    await load.stop();
    await Promise.all(answers);
    assert.ok(updated.every(({ name, revision }) => !names.has(name) && revision !== old[0]?.revision));
    assert.equal((await pool.get()).status.updatedReplicas, 3);
    assert.ok(onNew !== undefined, 'new sessions found the new pods');
    assert.deepEqual(late, [], 'new sessions that landed on old pods although a new one had room');
    for (const { id, pod } of patient) {
      assert.equal((await running.get(pod))?.result?.data['text/plain'], "'in time'");
      assert.equal(await lossOf(client.get(id)), 'drain');
    }
    const killed = await running.get(endless.pod);
    assert.equal(killed?.status, 'killed');
    assert.ok(killed.error && 'reason' in killed.error);
    assert.equal(killed.error.reason, 'drain');
    assert.equal(await lossOf(client.get(endless.id)), 'drain');
    for (const reason of load.lost) assert.equal(reason, 'drain');
    await pool.delete();
  });

  it('to a template that cannot start takes no more than maxUnavailable of the old pods, and going back heals', async () => {
    const pool = release().pool('stuck');
    const spec = { ...SMALL, replicas: 3, update: { drainSeconds: 1, maxUnavailable: 1, maxSurge: 1 } };
    await pool.apply(spec);
    const old = await pool.settled(3);
    const sessions = await oneOnEach(pool, old);
    for (const { id } of sessions.values()) await client.run(id, 'x = 41');
    const { client: kubernetes, namespace } = release();
    const ofOld = (pods: readonly PoolPod[]) => pods.filter(({ name }) => sessions.has(name));
    const serving = (pods: readonly PoolPod[]) => ofOld(pods).filter(({ ready, leaving }) => ready && !leaving);
    let fewest = old.length;
    await using _watch = await PodWatch.start(kubernetes, namespace, (pods) => {
      fewest = Math.min(fewest, serving(pods).length);
    });
    await pool.apply({ ...spec, runtime: { warmupCode: 'raise ValueError("never")' } });
    const degraded = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.equal(degraded.reason, 'TemplateFails');
    // As far as it can go: one old pod is gone, and two new ones are there in vain.
    await pool.podsUntil((pods) => ofOld(pods).length === 2 && pods.length === 4);
    await pool.apply(spec);
    const healed = await pool.settled(3);
    await pool.conditionUntil('Degraded', ({ status }) => status === 'False');
    assert.equal(fewest, 2);
    const kept = healed.filter(({ name }) => sessions.has(name));
    assert.equal(kept.length, 2);
    for (const { name } of kept) {
      const { id = '' } = sessions.get(name) ?? {};
      assert.equal((await client.run(id, 'x + 1')).result?.data['text/plain'], '42');
    }
    await pool.delete();
  });
});
