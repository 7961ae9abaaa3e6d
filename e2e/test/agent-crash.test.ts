import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '@replpool/protocol';
import { killAgent, needsNodesHere } from './support/node-process.ts';
import { type PoolPod, SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { lossOf, type RouterClient } from './support/router-client.ts';

describe('an agent that is gone without a word', function () {
  this.timeout(90_000);
  const release = withRelease('crash');
  let client: RouterClient;
  let pool: TestPool;
  /** Of two pods, a session on each. */
  let [victim, neighbour]: Session[] = [];
  let pods: PoolPod[];
  before(async () => {
    client = release()
      .clientOf(await release().startRouter())
      .patient();
    pool = release().pool('crash');
    await pool.apply({ ...SMALL, replicas: 2 });
  });
  beforeEach(async () => {
    pods = await pool.settled(2);
    const byPod = new Map<string, Session>();
    while (byPod.size < 2) {
      const session = await client.session();
      byPod.set(session.pod, session);
    }
    [victim, neighbour] = [...byPod.values()];
  });

  const podOf = (session: Session | undefined): PoolPod => {
    const pod = pods.find(({ name }) => name === session?.pod);
    assert.ok(pod);
    return pod;
  };

  async function isAnswered(session: Session | undefined): Promise<boolean> {
    return (await client.run(session?.id ?? '', '6 * 7')).result?.data['text/plain'] === '42';
  }

  it('costs the sessions of its pod alone, says why, and starts again there', async function () {
    const pod = podOf(victim);
    needsNodesHere(this, pod);
    const lost = victim?.id ?? '';
    await client.submit(lost, 'asks', 'input()');
    const running = lossOf(client.run(lost, 'input()', 'asks'));
    await killAgent(pod);
    assert.ok(await isAnswered(neighbour));
    assert.equal(await running, 'node');
    assert.equal(await lossOf(client.get(lost)), 'node');
    const [again] = await pool.podsUntil((now) =>
      now.some(({ uid, container, ready }) => uid === pod.uid && ready && container?.restarts === 1),
    );
    assert.ok(again);
    await pool.settled(2);
    assert.ok(await isAnswered(neighbour));
    await onEach(await pool.settled(2));
  });

  it('with its pod costs the sessions of that pod alone, says why, and another pod takes its place', async () => {
    const { name } = podOf(victim);
    const lost = victim?.id ?? '';
    await client.submit(lost, 'asks', 'input()');
    const running = lossOf(client.run(lost, 'input()', 'asks'));
    await pool.deletePodAtOnce(name);
    assert.ok(await isAnswered(neighbour));
    assert.match(String(await running), /^(node|drain)$/);
    assert.match(String(await lossOf(client.get(lost))), /^(node|drain)$/);
    await pool.podsUntil((now) => now.every((pod) => pod.name !== name));
    await onEach(await pool.settled(2));
    assert.ok(await isAnswered(neighbour));
  });

  it('again and again makes the pool Degraded until it stays', async function () {
    const pod = podOf(victim);
    needsNodesHere(this, pod);
    const crashing = async (): Promise<boolean> => {
      const degraded = await pool.condition('Degraded');
      return degraded?.status === 'True' && degraded.reason === 'PodsCrash';
    };
    while (!(await crashing())) {
      const now = (await pool.pods()).find(({ uid }) => uid === pod.uid);
      if (now?.ready) await killAgent(now).catch(() => undefined);
      await sleep(100);
    }
    assert.ok(await isAnswered(neighbour));
    await pool.conditionUntil('Degraded', ({ status }) => status === 'False');
    await onEach(await pool.settled(2));
  });

  /** New sessions find their way to each of these pods. */
  async function onEach(there: readonly PoolPod[]): Promise<void> {
    const without = new Set(there.map(({ name }) => name));
    while (without.size > 0) {
      const session = await client.session();
      without.delete(session.pod);
      await client.end(session.id);
    }
  }
});
