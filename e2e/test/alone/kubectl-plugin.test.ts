import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { ApiClient } from '@replpool/kube';
import type { Session } from '@replpool/protocol';
import { apply } from '../support/apply.ts';
import { kubeConfig } from '../support/cluster.ts';
import { applyCrd } from '../support/crd.ts';
import { HelmRelease } from '../support/helm.ts';
import { kubectl } from '../support/kubectl.ts';
import { Namespace } from '../support/namespace.ts';
import { SMALL, TestPool } from '../support/pool.ts';
import { report } from '../support/report.ts';
import { RouterClient } from '../support/router-client.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../..');
const PLANTED = 'planted-where-no-report-may-have-it';

interface Failed {
  readonly code: number;
  readonly stderr: string;
}

describe('kubectl replpool', function () {
  this.timeout(300_000);
  let scope: AsyncDisposableStack;
  let folder: string;
  let namespace: Namespace;
  let release: HelmRelease;
  let pool: TestPool;
  let mine: Session;
  const path = process.env.PATH;

  /** A service account that may make sessions in the namespace, and see everybody's if it is an admin. */
  const user = async (name: string, verbs: readonly string[]) => {
    const metadata = { name, namespace: namespace.name };
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata };
    const subjects = [{ kind: 'ServiceAccount', name, namespace: namespace.name }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    await apply(
      namespace.name,
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
      {
        ...rbac,
        kind: 'Role',
        rules: [{ apiGroups: ['replpool.dev'], resources: ['replpools/sessions'], verbs }],
      } as object,
      { ...rbac, kind: 'RoleBinding', subjects, roleRef } as object,
    );
  };
  const clientOf = async (name: string) => {
    const token = await kubectl('create', 'token', name, '--namespace', namespace.name, '--audience=replpool');
    return new RouterClient(await release.url(), token.trim());
  };
  /** The plugin, as kubectl runs it; the context's namespace is the pool's. */
  const replpool = (...args: string[]) => kubectl('replpool', ...args);
  const refused = async (...args: string[]): Promise<Failed> =>
    await replpool(...args).then(
      (said) => assert.fail(`not refused: ${said}`),
      (error: Failed) => error,
    );

  before(async () => {
    scope = new AsyncDisposableStack();
    folder = await mkdtemp(join(tmpdir(), 'kubectl-plugin-'));
    scope.defer(() => rm(folder, { recursive: true }));
    await symlink(join(root, 'cli/bin/kubectl-replpool.mjs'), join(folder, 'kubectl-replpool'));
    await applyCrd();
    namespace = scope.use(await Namespace.create('plugin'));
    const releases = scope.use(await Namespace.create('plugin-release'));
    // Roles and CRD of the whole cluster are others' too.
    const args = ['--set', 'rbac.userRoles=false,crds.install=false'];
    release = scope.use(
      await HelmRelease.install({ name: 'plugin', namespace: releases.name, watchNamespace: namespace.name, args }),
    );
    await useContext();
    pool = new TestPool(scope.use(new ApiClient(kubeConfig)), namespace.name, 'data');
    const runtime = { env: [{ name: 'DATABASE_URL', value: PLANTED }], warmupCode: `url = "${PLANTED}"\n` };
    await pool.apply({ ...SMALL, replicas: 2, runtime, update: { drainSeconds: 5 } });
    await pool.settled(2);
    await user('me', ['create']);
    await user('chief', ['create', 'get', 'list', 'delete', 'connect']);
    mine = await (await clientOf('me')).session();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await report(namespace.name);
  });
  after(async () => {
    process.env.PATH = path;
    await scope.disposeAsync();
  });

  /** A kubeconfig whose context has the pool's namespace, and a PATH with the plugin. */
  async function useContext(): Promise<void> {
    const file = join(folder, 'kubeconfig');
    await writeFile(file, kubeConfig.exportConfig(), { mode: 0o600 });
    const before = process.env.KUBECONFIG;
    scope.defer(() => {
      process.env.KUBECONFIG = before;
    });
    process.env.KUBECONFIG = file;
    process.env.PATH = [folder, process.env.PATH].join(delimiter);
    await kubectl('config', 'set-context', '--current', '--namespace', namespace.name);
  }

  it('status shows the pools, and one of them with its pods', async () => {
    const [header, row] = (await replpool('status', '--exit-code')).split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(header?.slice(0, 4), ['NAME', 'DESIRED', 'READY', 'UPDATED']);
    assert.deepEqual(row?.slice(0, 4), ['data', '2', '2', '2']);
    const one = await replpool('status', 'data');
    for (const { name, node } of await pool.pods()) {
      const sessions = name === mine.pod ? 1 : 0;
      assert.match(one, new RegExp(`^  ${name} +${node} +Ready +current +- +${sessions} +0 `, 'm'));
    }
    assert.match(one, /^ {2}Ready +True +\S+ +PodsReady/m);
  });

  it('says what is not there, and which right is missing', async () => {
    const missing = await refused('status', 'web');
    assert.deepEqual([missing.code, /there is no ReplPool web in namespace/.test(missing.stderr)], [2, true]);
    const token = await kubectl('create', 'token', 'me');
    const file = join(folder, 'me');
    const config = new KubeConfig();
    config.loadFromString(kubeConfig.exportConfig());
    config.users = [{ name: config.getCurrentUser()?.name ?? '', token: token.trim() }];
    await writeFile(file, config.exportConfig(), { mode: 0o600 });
    const forbidden = await refused('status', '--kubeconfig', file, '-n', namespace.name);
    assert.equal(forbidden.code, 2);
    assert.match(
      forbidden.stderr,
      /you may not list replpools\.replpool\.dev in namespace .*system:serviceaccount:.*:me/,
    );
  });

  it('sessions shows a caller their own, and an admin everybody’s, by a port-forward to a router', async () => {
    const theirs = await (await clientOf('chief')).session();
    const seenBy = async (name: string) => {
      const place = ['--release-namespace', release.namespace, '-o', 'json'];
      const { items } = JSON.parse(await replpool('sessions', '--as-service-account', name, ...place)) as {
        items: Session[];
      };
      return items.map(({ id }) => id).toSorted();
    };
    assert.deepEqual(await seenBy('me'), [mine.id]);
    assert.deepEqual(await seenBy('chief'), [mine.id, theirs.id].toSorted());
    await (await clientOf('chief')).fetch(`/v1/sessions/${theirs.id}`, { method: 'DELETE' });
  });

  it('sessions asks for a token that a router can check, and says when a router takes none', async () => {
    const without = await refused('sessions', '--release-namespace', release.namespace);
    assert.match(without.stderr, /has no token that a router could check/);
    const wrong = await refused('sessions', '--release-namespace', release.namespace, '--api-key', 'nobodys');
    assert.deepEqual([wrong.code, /the router does not take your token/.test(wrong.stderr)], [2, true]);
    const elsewhere = await refused('sessions', '--as-service-account', 'me');
    assert.match(elsewhere.stderr, new RegExp(`pods that look like routers are in: .*${release.namespace}`));
  });

  it('drain empties a pod, and the operator replaces it', async () => {
    const free = (await pool.pods()).find(({ name }) => name !== mine.pod);
    assert.ok(free);
    const said = await replpool('drain', free.name, '--wait');
    assert.match(said, new RegExp(`^pod/${free.name} drains: [\\s\\S]*pod/${free.name} is gone\n$`));
    const now = await pool.settled(2);
    assert.equal(
      now.some(({ uid }) => uid === free.uid),
      false,
    );
    assert.equal(
      now.some(({ name }) => name === mine.pod),
      true,
    );
  });

  it('drain lets a pod take no new session while its own go on', async () => {
    await replpool('drain', mine.pod, '--timeout', '3600');
    await pool.podsUntil((pods) => pods.some((pod) => pod.name === mine.pod && pod.leaving));
    assert.match(
      await replpool('status', 'data'),
      new RegExp(`^  ${mine.pod} +\\S+ +Draining +current +\\S+Z +1 `, 'm'),
    );
    const client = await clientOf('me');
    const { result } = await client.run(mine.id, '6 * 7');
    assert.equal(result?.data['text/plain'], '42');
    const { pod } = await client.session();
    assert.notEqual(pod, mine.pod);
  });

  it('drain refuses a pod that is no agent', async () => {
    const [router = ''] = (await kubectl('get', 'pods', '-n', release.namespace, '-o', 'name')).split('\n');
    const { code, stderr } = await refused('drain', router.replace('pod/', ''), '-n', release.namespace);
    assert.deepEqual([code, /is no agent of a ReplPool/.test(stderr)], [2, true]);
  });

  it('report has logs and metrics of operator, routers and agents, and no secret', async () => {
    const bundle = join(folder, 'bundle');
    await replpool('report', '-o', bundle);
    const files = (await readdir(bundle, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
    const names = files.map(({ name }) => name);
    for (const name of [
      'operator.log',
      'router.log',
      'agent.log',
      'metrics.txt',
      'configmaps.yaml',
      'networkpolicies.yaml',
    ]) {
      assert.ok(names.includes(name), `${name} is not among ${names.join(', ')}`);
    }
    const certificates = await kubectl('get', 'secret', 'replpool-pool-data-tls', '-o', 'jsonpath={.data.tls\\.key}');
    const key = Buffer.from(certificates, 'base64').toString('utf8').split('\n')[1] ?? assert.fail('no key');
    for (const file of files) {
      const text = await readFile(join(file.parentPath, file.name), 'utf8');
      for (const secret of [PLANTED, key])
        assert.equal(text.includes(secret), false, `${file.parentPath}/${file.name}`);
    }
  });

  it('does what its documentation shows', async () => {
    const text = await readFile(join(root, 'docs/kubectl-plugin.md'), 'utf8');
    const lines = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
    assert.ok(lines.length >= 6, 'the documentation has no commands');
    const pod = (await pool.pods()).find(({ leaving, ready }) => ready && !leaving);
    const env = { ...process.env, RELEASE_NAMESPACE: release.namespace, POD: pod?.name ?? '' };
    for (const line of lines) await run('sh', ['-ec', line], { cwd: folder, env });
    assert.ok((await readdir(folder)).includes('report.tar.gz'));
  });
});
