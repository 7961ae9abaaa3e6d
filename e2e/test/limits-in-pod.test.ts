import assert from 'node:assert/strict';
import type { Execution, ReplPoolSpecInput, Session } from '@replpool/protocol';
import { DAEMON, FORK_BOMB } from '../../session-agent/test/unruly-code.ts';
import { kubectl } from './support/kubectl.ts';
import { type PoolPod, SMALL, type TestPool } from './support/pool.ts';
import { inProcess, withRelease } from './support/release.ts';
import type { RouterClient } from './support/router-client.ts';
import type { RouterProcess } from './support/router-process.ts';

const withCgroups = (cgroups: 'Delegate' | 'Privileged' | 'None'): ReplPoolSpecInput => ({
  ...{ ...SMALL, replicas: 1, isolation: { level: 'None', cgroups } },
  // The agent's own memory is in it, and all sessions' together.
  podTemplate: { resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '1Gi' } } },
  update: { drainSeconds: 1 },
});

const BUSY = `
import time
start, end = time.monotonic(), time.process_time() + 1
while time.process_time() < end:
    pass
time.monotonic() - start
`;
/** The paths of the session's cgroups. */
const OWN_CGROUPS = `print(*(line.split(':', 2)[2] for line in open('/proc/self/cgroup')), sep='', end='')`;

const IDENTITY = 'import getpass, os, pathlib\nos.getuid(), getpass.getuser(), str(pathlib.Path.home())';
/** How many cgroups of sessions a container has, and which of its files and folders may be written, as one of the node's tree sees it. */
const writable = (container: string) => `
import os
folders = [(folder, files) for folder, _, files in os.walk('/host/cgroup') if '${container}' in folder]
paths = [os.path.join(folder, name) for folder, files in folders for name in ('', *files)]
sum('/sessions/' in folder for folder, _ in folders), sum(os.access(path, os.W_OK) for path in paths)
`;

function shownBy({ result, error }: Execution): unknown {
  assert.equal(error, undefined);
  return result?.data['text/plain'];
}

describe('the limits of sessions in a pod', function () {
  this.timeout(300_000);
  const release = withRelease('limits', (config, write) => inProcess()({ ...config, allowPrivileged: true }, write));
  let router: RouterProcess;
  let client: RouterClient;

  before(async function () {
    this.timeout(600_000);
    router = await release().startRouter();
    await router.ready();
    client = release().clientOf(router);
  });

  async function allowPrivileged(): Promise<void> {
    const label = 'pod-security.kubernetes.io/enforce=privileged';
    await kubectl('label', 'namespace', release().namespace, label, '--overwrite');
  }

  async function ready(name: string, cgroups: 'Delegate' | 'Privileged' | 'None'): Promise<TestPool> {
    const pool = release().pool(name);
    await pool.apply(withCgroups(cgroups));
    await pool.settled(1);
    return pool;
  }

  /** The agent tells routers of itself as soon as it is ready; a test that asks at once may be earlier. */
  async function sessionOf(pool: TestPool, limits: Session['limits'] | object = {}): Promise<Session> {
    return await client.patient().session({ pool: pool.fullName, limits });
  }

  it('are not delegated where pods may only be restricted, which the pool says', async () => {
    const pool = release().pool('restricted');
    await pool.apply(withCgroups('Delegate'));
    const { message } = await pool.conditionUntil('PodsForbidden', ({ status }) => status === 'True');
    assert.match(message, /restricted/);
    assert.deepEqual(await pool.pods(), []);
    await pool.delete();
  });

  it('are no cgroups with None, and the session says so', async () => {
    const pool = await ready('none', 'None');
    const { id, isolation } = await sessionOf(pool);
    assert.equal(isolation.cgroups, 'none');
    for (const wall of ['memory', 'cpu', 'processes'] as const) assert.ok(isolation.missing.includes(wall), wall);
    assert.doesNotMatch((await client.run(id, OWN_CGROUPS)).stdout, /sessions/);
    await pool.delete();
  });

  it('hold with Privileged too, by the agent’s own rights', async () => {
    await allowPrivileged();
    const pool = await ready('privileged', 'Privileged');
    const { id, isolation } = await sessionOf(pool, { memory: '128Mi' });
    assert.match(isolation.cgroups, /^v[12]$/);
    const { error } = await client.run(id, "data = b'x' * (512 << 20)");
    assert.ok(error && 'reason' in error, JSON.stringify(error));
    assert.equal(error.reason, 'oom');
    await pool.delete();
  });

  describe('with Delegate', () => {
    let pool: TestPool;
    const only = async (): Promise<PoolPod> => {
      const [pod] = await pool.settled(1);
      assert.ok(pod);
      return pod;
    };

    before(async () => {
      await allowPrivileged();
      pool = await ready('delegated', 'Delegate');
    });
    afterEach(async () => {
      for (const id of await client.list()) await client.end(id);
    });

    it('are cgroups, below that of the container and so within its own limits', async () => {
      const { id, isolation } = await sessionOf(pool);
      assert.match(isolation.cgroups, /^v[12]$/);
      for (const wall of ['memory', 'cpu', 'processes', 'leftover_processes'] as const) {
        assert.ok(!isolation.missing.includes(wall), wall);
      }
      const { container } = await only();
      // On v2 the namespace hides what is above the container.
      const above = isolation.cgroups === 'v1' ? `/${container?.id}` : '';
      assert.ok((await client.run(id, OWN_CGROUPS)).stdout.includes(`${above}/sessions/`));
    });

    it('kill one that allocates beyond its memory alone, named oom, while its neighbours answer', async () => {
      const neighbour = await sessionOf(pool);
      await client.run(neighbour.id, 'kept = 41');
      const { id } = await sessionOf(pool, { memory: '128Mi' });
      const death = client.run(id, "data = b'x' * (512 << 20)");
      assert.equal(shownBy(await client.run(neighbour.id, 'kept + 1')), '42');
      const { status, error } = await death;
      assert.equal(status, 'killed');
      assert.ok(error && 'reason' in error, JSON.stringify(error));
      assert.equal(error.reason, 'oom', error.message);
      assert.equal(shownBy(await client.run(neighbour.id, 'kept + 2')), '43');
      assert.equal((await only()).container?.restarts, 0);
    });

    it('take the code that ran out of memory, and leave the twin to which its transaction goes back', async () => {
      const { id, stateEpoch } = await sessionOf(pool, { memory: '128Mi' });
      await client.run(id, 'data = [1]');
      const code = "data.append(2); more = b'x' * (512 << 20)";
      const { status, error, transaction } = await client.run(id, code, 'rolled', { policy: 'rollback_on_failure' });
      assert.deepEqual([status, transaction?.outcome, transaction?.snapshot], ['killed', 'rolled_back', 'fork']);
      assert.ok(error && 'reason' in error && error.reason === 'oom', JSON.stringify(error));
      assert.equal(shownBy(await client.run(id, 'data')), '[1]');
      assert.equal((await client.get(id)).stateEpoch, stateEpoch);
    });

    it('end a fork bomb at its count of processes, which the session survives', async () => {
      const { id } = await sessionOf(pool, { processes: 32 });
      const { error } = await client.run(id, FORK_BOMB);
      assert.ok(error && 'name' in error, JSON.stringify(error));
      assert.equal(error.name, 'BlockingIOError');
      assert.equal(shownBy(await client.run(id, '1 + 1')), '2');
    });

    it('give a session with a quarter of a core no more of the time', async () => {
      const { id } = await sessionOf(pool, { cpu: '250m' });
      const took = Number(shownBy(await client.run(id, BUSY)));
      // From below: no slow machine breaks it. The first period may be whole.
      assert.ok(took >= 3, `one second of cpu took ${took} s`);
    });

    it('take along a daemon that left session, parents and environment', async () => {
      const neighbour = await sessionOf(pool);
      const { id } = await sessionOf(pool);
      const pid = shownBy(await client.run(id, DAEMON));
      const isAlive = `__import__('os').path.exists('/proc/${pid}')`;
      assert.equal(shownBy(await client.run(neighbour.id, isAlive)), 'True');
      await client.end(id);
      assert.equal(shownBy(await client.run(neighbour.id, isAlive)), 'False');
    });

    it('come with a usage that counts children too', async () => {
      const { id } = await sessionOf(pool);
      const child =
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'data = bytearray(80 << 20); print(1, flush=True); input()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE); child.stdout.readline()";
      await client.run(id, child);
      const { usage } = await client.get(id);
      assert.ok((usage.memoryBytes ?? 0) >= 80 << 20, `${usage.memoryBytes}`);
    });

    it('are out of reach of other pools on the node, whose sessions are another user’s', async () => {
      const { node, container } = await only();
      const other = release().pool('neighbour');
      const { podTemplate, ...spec } = withCgroups('Delegate');
      await other.apply({ ...spec, podTemplate: { ...podTemplate, nodeSelector: { 'kubernetes.io/hostname': node } } });
      await other.settled(1);
      const [ours, theirs] = [await sessionOf(pool), await sessionOf(other)];
      const numbers = (text: unknown) => String(text).match(/\d+/g)?.map(Number) ?? [];
      const run = async ({ id }: Session, code: string) => shownBy(await client.run(id, code));

      const users = [await run(ours, IDENTITY), await run(theirs, IDENTITY)];
      for (const user of users) assert.match(String(user), /^\(1\d{9}, 'replpool', '\/tmp'\)$/);
      assert.notEqual(users[0], users[1]);

      const [ownSessions = 0, own = 0] = numbers(await run(ours, writable(container?.id ?? '')));
      assert.ok(ownSessions > 0 && own > 0, 'they may write their own');
      const [seen, reached] = numbers(await run(theirs, writable(container?.id ?? '')));
      assert.deepEqual([seen, reached], [ownSessions, 0], 'they see those of others, and write none');
      await other.delete();
    });

    it('are there again after the agent has crashed, in the new cgroup of its container', async () => {
      const { name, container } = await only();
      // An agent without its launcher ends.
      const crash = `for dir in /proc/[0-9]*; do
        if tr '\\0' ' ' <"$dir/cmdline" | grep -q 'replpool_worker launcher'; then kill -9 "\${dir#/proc/}"; fi
      done 2>/dev/null`;
      const exec = ['exec', name, '--namespace', release().namespace, '-c', 'agent', '--', 'sh', '-c', crash];
      // It may end with the container.
      await kubectl(...exec).catch(() => undefined);
      await pool.podsUntil((pods) => pods.some(({ ready: is, container: now }) => is && now?.id !== container?.id));
      const after = await only();
      assert.equal(after.name, name, 'the same pod');
      assert.equal(after.container?.restarts, 1);
      const { id, isolation } = await sessionOf(pool, { processes: 32 });
      assert.match(isolation.cgroups, /^v[12]$/);
      const { error } = await client.run(id, FORK_BOMB);
      assert.ok(error && 'name' in error, JSON.stringify(error));
      assert.equal(error.name, 'BlockingIOError');
    });

    it('cost no time at the end: the delegate goes when it is told', async () => {
      const [pod] = await pool.pods();
      await pool.delete();
      await kubectl('wait', '--for=delete', `pod/${pod?.name}`, '--namespace', release().namespace, '--timeout=20s');
    });
  });
});
