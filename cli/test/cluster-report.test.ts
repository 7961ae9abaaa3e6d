import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { FakeCluster, type FakeObject } from './fakes/fake-cluster.ts';
import { kubectlReplpool } from './support/replpool.ts';

/** Planted where a secret may stand; none may be in a report, in whatever file. */
const planted = {
  env: 'planted-value-of-env',
  templateEnv: 'planted-value-of-template',
  warmupCode: 'planted-in-code',
  lastApplied: 'planted-in-last-applied',
  annotation: 'planted-in-annotation',
  podEnv: 'planted-in-pod-env',
  header: 'planted-in-header',
  configMap: 'planted-in-config-map',
  oldRevision: 'planted-in-old-revision',
  indexPassword: 'planted-in-index',
  bearer: 'planted.bearer.token',
  key: 'plantedK3yOfSomebodyThatIsLong0',
  requirement: 'planted-in-requirement',
};

const labels = (component: string, more: Record<string, string> = {}) => ({
  'app.kubernetes.io/name': 'replpool',
  'app.kubernetes.io/component': component,
  'app.kubernetes.io/instance': 'replpool',
  ...more,
});

const spec = {
  replicas: 1,
  runtime: {
    env: [{ name: 'DATABASE_URL', value: planted.env }],
    warmupCode: `import db\ndb.connect("${planted.warmupCode}")\n`,
    requirements: [`--extra-index-url=https://me:${planted.requirement}@pypi.example/simple`],
  },
  templates: [{ name: 'small', env: [{ name: 'SMALL', value: planted.templateEnv }] }],
  network: { packageIndex: `https://me:${planted.indexPassword}@pypi.example/simple` },
  podTemplate: { annotations: { note: planted.annotation } },
};

const appliedBefore = JSON.stringify({ spec: { runtime: { env: [{ name: 'OLD', value: planted.lastApplied }] } } });
const pool: FakeObject = {
  metadata: {
    ...{ name: 'data', namespace: 'team' },
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': appliedBefore, note: planted.annotation },
  },
  spec,
  status: {
    conditions: [{ type: 'Degraded', status: 'True', reason: 'PodsCrash', message: `cannot reach ${planted.env}` }],
  },
};

function podOf(name: string, namespace: string, component: string, restarts = 0): FakeObject {
  const httpGet = { path: '/', port: 1, httpHeaders: [{ name: 'X-Key', value: planted.header }] };
  const container = {
    ...{ name: component, image: `${component}:1`, livenessProbe: { httpGet } },
    env: [{ name: 'SIDE', value: planted.podEnv }],
    ports: [{ name: component === 'agent' ? 'health' : 'metrics', containerPort: 9090 }],
  };
  return {
    metadata: {
      name,
      namespace,
      labels: labels(component, { 'replpool.dev/pool': 'data' }),
      annotations: { a: planted.annotation },
    },
    spec: { nodeName: 'node-1', containers: [container] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: component, ready: true, restartCount: restarts, state: { running: {} } }],
    },
  };
}

async function cluster(): Promise<FakeCluster> {
  const fake = await FakeCluster.start();
  fake.put('/apis/replpool.dev/v1alpha1/replpools', pool);
  fake.put('/api/v1/pods', podOf('data-1', 'team', 'agent', 1), podOf('operator-1', 'replpool-system', 'operator'));
  const agentJson = JSON.stringify({ spec: { runtime: { env: [{ name: 'A', value: planted.oldRevision }] } } });
  fake.put('/api/v1/configmaps', {
    metadata: { name: 'replpool-pool-data-0123456789', namespace: 'team', labels: labels('agent') },
    data: { 'agent.json': agentJson, other: planted.configMap },
  });
  const event = {
    reason: 'PodNotMade',
    note: `token=${planted.key} of ${planted.env}`,
    regarding: { kind: 'Pod', name: 'data-gone' },
  };
  fake.put('/apis/events.k8s.io/v1/events', { metadata: { name: 'e', namespace: 'team' }, ...event });
  const log = `started\nauthorization: Bearer ${planted.bearer}\nread ${planted.oldRevision} and ${planted.lastApplied}\n${planted.key}\n`;
  for (const [namespace, name, container] of [
    ['team', 'data-1', 'agent'],
    ['replpool-system', 'operator-1', 'operator'],
  ]) {
    fake.texts.set(`/api/v1/namespaces/${namespace}/pods/${name}/log`, `${container} ${log}`);
    fake.texts.set(
      `/api/v1/namespaces/${namespace}/pods/${name}%3A9090/proxy/metrics`,
      'replpool_sessions{pool="team:data"} 1\n',
    );
  }
  fake.put('/api/v1/secrets', {
    metadata: { name: 'db', namespace: 'team', labels: labels('agent') },
    data: { url: planted.env },
  });
  return fake;
}

describe('kubectl replpool report', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rp-report-'));
  });
  after(() => rm(folder, { recursive: true }));

  const unpacked = async (file: string) => {
    const entries = await unpackTar(gunzipSync(await readFile(file)));
    return new Map(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? []).toString('utf8')]));
  };

  it('gathers objects, logs and metrics, with names and without any secret', async () => {
    await using fake = await cluster();
    const file = join(folder, 'bundle.tar.gz');
    const { code, stdout, stderr } = await kubectlReplpool(['report', '-o', file], { KUBECONFIG: fake.kubeconfig });
    assert.deepEqual([code, stdout], [0, `${file}\n`], stderr);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const files = await unpacked(file);
    for (const [name, text] of files) {
      for (const [what, secret] of Object.entries(planted))
        assert.equal(text.includes(secret), false, `${what} is in ${name}`);
    }
    const there = [...files.keys()].map((name) => name.replace(/^bundle\//, '')).toSorted();
    for (const path of [
      'README.txt',
      'errors.txt',
      'namespaces/replpool-system/pods.yaml',
      'namespaces/replpool-system/pods/operator-1/operator.log',
      'namespaces/team/configmaps.yaml',
      'namespaces/team/events.yaml',
      'namespaces/team/pods/data-1/agent.log',
      'namespaces/team/pods/data-1/agent.previous.log',
      'namespaces/team/pods/data-1/metrics.txt',
      'namespaces/team/replpools.yaml',
      'status.txt',
      'versions.json',
    ]) {
      assert.ok(there.includes(path), `${path} is not among ${there.join(', ')}`);
    }
    const pools = files.get('bundle/namespaces/team/replpools.yaml') ?? '';
    assert.match(pools, /name: DATABASE_URL\n +value: <redacted>/);
    assert.match(pools, /message: cannot reach <redacted>/);
    assert.match(
      files.get('bundle/namespaces/team/pods/data-1/agent.log') ?? '',
      /^agent started\nauthorization: <redacted>\n/,
    );
    assert.match(
      files.get('bundle/namespaces/team/pods/data-1/metrics.txt') ?? '',
      /replpool_sessions\{pool="team:data"\} 1/,
    );
  });

  it('never asks for a Secret', async () => {
    await using fake = await cluster();
    await kubectlReplpool(['report', '-o', join(folder, 'no-secrets.tgz')], { KUBECONFIG: fake.kubeconfig });
    assert.ok(fake.requests.length > 10);
    assert.deepEqual(
      fake.requests.filter(({ path }) => /secret/.test(path)),
      [],
    );
  });

  it('goes on without what it may not read, and says so', async () => {
    await using fake = await cluster();
    fake.forbidden = (path) => path.endsWith('/log') || path.endsWith('/nodes');
    const target = join(folder, 'as-a-folder');
    const { code, stderr } = await kubectlReplpool(['report', '-o', target], { KUBECONFIG: fake.kubeconfig });
    assert.equal(code, 0);
    assert.match(stderr, /\d+ things are not in it; its errors\.txt says which and why/);
    const errors = await readFile(join(target, 'errors.txt'), 'utf8');
    assert.match(errors, /agent\.log: you may not get pods\/log data-1 in namespace team/);
    assert.match(errors, /needed: a Role in namespace team with the verb get on pods\/log/);
    assert.match(errors, /nodes: you may not list nodes in the whole cluster/);
    assert.ok(existsSync(join(target, 'namespaces/team/pods/data-1/metrics.txt')));
    assert.equal(existsSync(join(target, 'namespaces/team/pods/data-1/agent.log')), false);
  });

  it('asks for the logs of so long, and for those of a container before it was restarted', async () => {
    await using fake = await cluster();
    const args = ['report', '--since', '30m', '-o', join(folder, 'since.tgz')];
    await kubectlReplpool(args, { KUBECONFIG: fake.kubeconfig });
    const logs = fake.requests
      .filter(({ path }) => path.endsWith('/pods/data-1/log'))
      .map(({ query }) => Object.fromEntries(query));
    const both = { container: 'agent', timestamps: 'true', tailLines: '20000' };
    assert.deepEqual(logs, [
      { ...both, previous: 'false', sinceSeconds: '1800' },
      { ...both, previous: 'true' },
    ]);
  });

  it('takes the agents with trouble first where there are more than it is to look at', async () => {
    await using fake = await cluster();
    fake.put('/api/v1/pods', podOf('data-2', 'team', 'agent', 7));
    const target = join(folder, 'few');
    await kubectlReplpool(['report', '--max-agents', '1', '-o', target], { KUBECONFIG: fake.kubeconfig });
    assert.ok(existsSync(join(target, 'namespaces/team/pods/data-1')) === false);
    assert.match(await readFile(join(target, 'errors.txt'), 'utf8'), /metrics of 1 agents: left out/);
    assert.match(await readFile(join(target, 'errors.txt'), 'utf8'), /data-2\/agent\.log/);
  });

  it('writes over nothing, and leaves nothing behind where nobody answers', async () => {
    await using fake = await cluster();
    const over = await kubectlReplpool(['report', '-o', folder], { KUBECONFIG: fake.kubeconfig });
    assert.equal(over.code, 2);
    assert.match(over.stderr, /is there already/);
    await fake.stop();
    const target = join(folder, 'never');
    assert.equal((await kubectlReplpool(['report', '-o', target], { KUBECONFIG: fake.kubeconfig })).code, 3);
    assert.equal(existsSync(target), false);
  });
});
