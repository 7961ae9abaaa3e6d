import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collection, type KubeObject, resources, systemClock, WatchMetrics } from '@replpool/kube';
import { leaseStore, type OperatorConfig } from '@replpool/operator';
import { POOL_LABEL, REVISION_LABEL, type ReplPoolSpecInput } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { until } from './support/api-namespace.ts';
import { OperatorProcess } from './support/operator-process.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { randomFrom, SEED } from './support/random.ts';
import { withRelease } from './support/release.ts';

/** How far into a change the operator is killed, at random. */
const LATEST_MS = 1_500;
/** A Lease that was not released, the pause of who waits for it, and a start. */
const TAKE_OVER_MS = 60_000;

/** The replicas of one operator; one that ended is followed by another, as its Deployment does. */
class Replicas implements AsyncDisposable {
  readonly #config: OperatorConfig;
  readonly #write: (line: string) => void;
  readonly #running = new Set<OperatorProcess>();
  #started = 0;

  constructor(config: OperatorConfig, write: (line: string) => void) {
    this.#config = config;
    this.#write = write;
  }

  async add(): Promise<void> {
    this.#started += 1;
    this.#running.add(await OperatorProcess.start(`operator-${this.#started}`, this.#config, this.#write));
  }

  /** The one that a Lease's holder names. */
  named(holder: string): OperatorProcess | undefined {
    return [...this.#running].find(({ name }) => holder.startsWith(`${name}_`));
  }

  async replace(one: OperatorProcess, end: (one: OperatorProcess) => Promise<unknown>): Promise<void> {
    await end(one);
    this.#running.delete(one);
    await one[Symbol.asyncDispose]();
    await this.add();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running) await one[Symbol.asyncDispose]();
  }
}

/** Every pod of the namespace that there ever was. */
class History implements AsyncDisposable {
  readonly #pods = new Map<string, { pool: string; revision: string }>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(collection: (added: (pod: KubeObject) => void) => Collection<KubeObject>) {
    this.#running = collection(({ metadata }) => {
      const labels = (metadata.labels ?? {}) as Record<string, string>;
      this.#pods.set(metadata.uid, { pool: labels[POOL_LABEL] ?? '', revision: labels[REVISION_LABEL] ?? '' });
    }).run(this.#stop.signal);
  }

  /** The revisions of all pods that a pool ever had, one for each pod. */
  of(pool: TestPool): string[] {
    return [...this.#pods.values()].filter((pod) => pod.pool === pool.name).map(({ revision }) => revision);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe(`an operator that is killed (SEED=${SEED})`, function () {
  this.timeout(280_000);
  const random = randomFrom(SEED);
  let replicas: Replicas;
  let history: History;
  const release = withRelease('restart', async (config, write) => {
    replicas = new Replicas(config, write);
    await replicas.add();
    await replicas.add();
    return replicas;
  });
  before(() => {
    const { client, namespace } = release();
    const common = { client, namespace, resource: resources.pods, labelSelector: POOL_LABEL };
    const metrics = new WatchMetrics(new Registry(), systemClock);
    const log = pino({ level: 'silent' });
    history = new History(
      (added) => new Collection({ ...common, parse: (it) => it, handlers: { added }, metrics, log }),
    );
  });
  after(() => history[Symbol.asyncDispose]());

  const holder = async (): Promise<string> => {
    const lease = leaseStore(release().client, release().namespace, 'e2e-operator');
    return (await lease.get(new AbortController().signal))?.holder ?? '';
  };
  const leader = async (): Promise<OperatorProcess> => {
    let found: OperatorProcess | undefined;
    await until(async () => {
      found = replicas.named(await holder());
      return found !== undefined;
    }, TAKE_OVER_MS);
    assert.ok(found);
    return found;
  };
  /** Begins a change, and kills who leads somewhere in it. */
  const killedIn = async (change: () => Promise<void>): Promise<void> => {
    const victim = await leader();
    await change();
    await sleep(random(LATEST_MS));
    await replicas.replace(victim, (one) => one.kill());
  };
  const count = 3;
  const spec: ReplPoolSpecInput = { ...SMALL, replicas: count, update: { drainSeconds: 20, maxSurge: 1 } };

  it('is followed at once by the other where it was told to go', async () => {
    const first = await leader();
    await replicas.replace(first, async (one) => assert.equal(await one.terminate(), 0));
    // Released, not left to expire.
    assert.ok(!(await holder()).startsWith(`${first.name}_`));
    assert.notEqual((await leader()).name, first.name);
  });

  for (const round of [1, 2]) {
    it(`makes no pod twice and loses no busy one, whenever it is (round ${round})`, async () => {
      const pool = release().pool(`data-${round}`);
      await killedIn(() => pool.apply(spec));
      const made = await pool.settled(count);
      assert.equal(history.of(pool).length, count, 'pods were made twice');

      const router = await release().startRouter();
      await router.ready();
      const client = release().clientOf(router);
      const session = await client.session({ pool: pool.fullName });
      const answer = client.run(session.id, 'input("wait")', 'busy');
      await until(async () => (await client.get(session.id)).state === 'busy');
      await killedIn(() => pool.scale(1));
      const [left] = await pool.settled(1);
      assert.equal(left?.name, session.pod, 'the busy pod went');
      assert.ok(made.some(({ uid }) => uid === left?.uid));
      await client.input(session.id, 'busy', 'done');
      assert.equal((await answer).result?.data['text/plain'], "'done'");
      assert.equal(history.of(pool).length, count, 'a scale-down made a pod');
      await client.end(session.id);

      const before = new Set(history.of(pool));
      await killedIn(() => pool.apply({ ...spec, replicas: 1, sessions: { ...SMALL.sessions, minIdle: 2 } }));
      await pool.podsUntil(
        (pods) => pods.length === 1 && pods.every(({ ready, revision }) => ready && !before.has(revision)),
      );
      await pool.settled(1);
      assert.equal(history.of(pool).filter((revision) => !before.has(revision)).length, 1, 'the update made too many');

      const all = history.of(pool).length;
      await killedIn(() => pool.delete());
      await pool.podsUntil((pods) => pods.length === 0);
      assert.equal(history.of(pool).length, all, 'a deletion made a pod');
    });
  }
});
