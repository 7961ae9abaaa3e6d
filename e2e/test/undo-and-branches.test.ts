import assert from 'node:assert/strict';
import type { CreateSession, Execution, ReplPoolSpecInput, Session, Undone } from '@replpool/protocol';
import { kubectl } from './support/kubectl.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { Refusal, type RouterClient } from './support/router-client.ts';

const SPEC: ReplPoolSpecInput = {
  ...{ ...SMALL, replicas: 2, isolation: { level: 'None', cgroups: 'Delegate' } },
  // The agent's own memory is in it, and all sessions' together.
  podTemplate: { resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '1Gi' } } },
  update: { drainSeconds: 1 },
};
/** The pod takes four sessions: one and so many copies. */
const COPIES = 3;

/** The paths of the session's cgroups. */
const OWN_CGROUPS = `print(*(line.split(':', 2)[2] for line in open('/proc/self/cgroup')), sep='', end='')`;

function shownBy({ result, error }: Execution): unknown {
  assert.equal(error, undefined, JSON.stringify(error));
  return result?.data['text/plain'];
}

describe('undo and live copies of a session in a pod', function () {
  this.timeout(300_000);
  const release = withRelease('branches');
  let pool: TestPool;
  let client: RouterClient;

  before(async function () {
    this.timeout(600_000);
    const label = 'pod-security.kubernetes.io/enforce=privileged';
    await kubectl('label', 'namespace', release().namespace, label, '--overwrite');
    const router = await release().startRouter();
    pool = release().pool('branching');
    await pool.apply(SPEC);
    await pool.settled(2);
    await router.ready();
    client = release().clientOf(router);
  });
  afterEach(async () => {
    for (const id of await client.list()) await client.end(id);
  });

  /** The agent tells routers of itself as soon as it is ready; a test that asks at once may be earlier. */
  async function sessionOf(body: CreateSession = {}): Promise<Session> {
    return await client.patient().session({ pool: pool.fullName, limits: { memory: '128Mi' }, ...body });
  }

  async function post<T>(session: string, what: 'undo' | 'fork', body: object): Promise<T> {
    const response = await client.fetch(`/v1/sessions/${session}/${what}`, { body });
    if (!response.ok) throw await Refusal.of(response);
    return (await response.json()) as T;
  }

  async function forked(session: string): Promise<Session[]> {
    const { items } = await post<{ items: Session[] }>(session, 'fork', { count: COPIES });
    assert.equal(items.length, COPIES);
    return items;
  }

  it('go back to before the last executions', async () => {
    const { id } = await sessionOf({ keepSnapshots: 4 });
    await client.run(id, 'l = [1]', 'first');
    await client.run(id, 'l.append(2)', 'second');
    await client.run(id, 'l.clear(); del l', 'third');
    const undone = await post<Undone>(id, 'undo', { executions: 2 });
    assert.deepEqual(undone.executions, ['third', 'second']);
    assert.equal(shownBy(await client.run(id, 'l')), '[1]');
    const now = await client.get(id);
    assert.deepEqual([now.stateEpoch, now.state], [undone.stateEpoch, 'idle']);
  });

  it('are there at once, in the same pod, and each goes its own way', async () => {
    const { id, pod } = await sessionOf({ labels: { team: 'x' } });
    await client.run(id, 'l = [1]; open("kept.txt", "w").write("parent")');
    const copies = await forked(id);
    const ways = copies.map(async (copy, i) => {
      assert.deepEqual([copy.pod, copy.forkedFrom, copy.labels, copy.epoch], [pod, id, { team: 'x' }, 1]);
      const code = `l.append(${i}); open("kept.txt", "a").write("${i}"); l, open("kept.txt").read()`;
      assert.equal(shownBy(await client.run(copy.id, code)), `([1, ${i}], 'parent${i}')`);
    });
    await Promise.all(ways);
    assert.equal(shownBy(await client.run(id, 'l, open("kept.txt").read()')), `([1], 'parent')`);
  });

  it('have a cgroup each, whose limits hold for it alone', async () => {
    const { id, isolation } = await sessionOf();
    assert.match(isolation.cgroups, /^v[12]$/);
    const [first, ...others] = await forked(id);
    assert.ok(first);
    const cgroups = new Set<string>();
    for (const session of [id, first.id, ...others.map((other) => other.id)]) {
      const { isolation: its } = await client.get(session);
      assert.deepEqual(its, isolation);
      const { stdout } = await client.run(session, OWN_CGROUPS);
      assert.match(stdout, /\/sessions\//);
      cgroups.add(stdout);
    }
    assert.equal(cgroups.size, 1 + COPIES, [...cgroups].join('\n'));
    const { status, error } = await client.run(first.id, "data = b'x' * (512 << 20)");
    assert.equal(status, 'killed');
    assert.ok(error && 'reason' in error && error.reason === 'oom', JSON.stringify(error));
    for (const session of [id, ...others.map((other) => other.id)]) {
      assert.equal(shownBy(await client.run(session, '1 + 1')), '2');
    }
  });

  it('outlive the session of which they are copies, and take nothing along when they end', async () => {
    const { id } = await sessionOf();
    await client.run(id, 'l = [1]');
    const [first, ...others] = await forked(id);
    assert.ok(first);
    await client.end(id);
    for (const copy of [first, ...others]) assert.equal(shownBy(await client.run(copy.id, 'l')), '[1]');
    await client.end(first.id);
    for (const copy of others) assert.equal(shownBy(await client.run(copy.id, 'l')), '[1]');
    assert.deepEqual((await client.list()).sort(), others.map((copy) => copy.id).sort());
  });

  it('are refused beyond what the pod may have, without any of them', async () => {
    const { id } = await sessionOf();
    const refused = await post(id, 'fork', { count: COPIES + 1 }).catch((error: unknown) => error);
    assert.ok(refused instanceof Refusal, String(refused));
    assert.deepEqual([refused.problem.status, refused.problem.code], [429, 'POOL_EXHAUSTED']);
    assert.ok(refused.retryAfter);
    assert.deepEqual(await client.list(), [id]);
  });
});
