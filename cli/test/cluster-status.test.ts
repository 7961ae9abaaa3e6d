import assert from 'node:assert/strict';
import { DRAIN_UNTIL_ANNOTATION, POOL_LABEL, REVISION_LABEL } from '@replpool/protocol';
import { age } from '../src/cluster/age.ts';
import { seenPod, seenPool } from '../src/cluster/objects.ts';
import { sumOf } from '../src/cluster/pod-metrics.ts';
import { currentRevision, stateOf } from '../src/cluster/status/pod-view.ts';
import { isPoolReady, poolView } from '../src/cluster/status/pool-view.ts';
import { FakeCluster, type FakeObject } from './fakes/fake-cluster.ts';
import { kubectlReplpool } from './support/replpool.ts';

const POOLS = '/apis/replpool.dev/v1alpha1/replpools';
const PODS = '/api/v1/pods';
const EVENTS = '/apis/events.k8s.io/v1/events';

const conditions = (ready: string, degraded = 'False') => [
  { type: 'Ready', status: ready, reason: ready === 'True' ? 'PodsReady' : 'NoPodReady', message: 'm' },
  { type: 'Degraded', status: degraded, reason: 'ImageUnavailable', message: 'no such image' },
];

function pool(name: string, status: object | undefined, more: { spec?: object; namespace?: string } = {}): FakeObject {
  const metadata = { name, namespace: more.namespace ?? 'team', generation: 2, uid: `uid-${name}` };
  return { metadata, spec: { replicas: 2, ...more.spec }, ...(status && { status }) };
}

const healthy = {
  ...{ replicas: 2, readyReplicas: 2, updatedReplicas: 2, observedGeneration: 2, warmHitRatio: '0.97' },
  sessions: { active: 3, idle: 8, capacity: 64 },
  conditions: conditions('True'),
};

function pod(
  name: string,
  { revision = 'new', annotations = {}, deleting = false, status = {}, createdAt = '' } = {},
): FakeObject {
  const labels = {
    'app.kubernetes.io/name': 'replpool',
    'app.kubernetes.io/component': 'agent',
    [POOL_LABEL]: 'data',
    [REVISION_LABEL]: revision,
  };
  const times = {
    ...(createdAt && { creationTimestamp: createdAt }),
    ...(deleting && { deletionTimestamp: createdAt }),
  };
  const containers = [{ name: 'agent', image: 'agent:1', ports: [{ name: 'health', containerPort: 9090 }] }];
  return {
    metadata: { name, namespace: 'team', labels, annotations, ...times },
    spec: { nodeName: 'node-1', containers },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...status },
  };
}

describe('the view of a pool', () => {
  const issues = (object: unknown) => poolView(seenPool.parse(object)).issues;

  it('names the conditions that are not as they should be', () => {
    assert.deepEqual(issues(pool('a', healthy)), []);
    const status = { ...healthy, conditions: conditions('False', 'True') };
    assert.deepEqual(issues(pool('a', status)), ['NotReady(NoPodReady)', 'Degraded(ImageUnavailable)']);
  });

  it('says when the operator has not seen the pool, or its last change', () => {
    assert.deepEqual(issues(pool('a', undefined)), ['NotSeenByOperator']);
    assert.deepEqual(issues(pool('a', { ...healthy, observedGeneration: 1 })), ['ChangeNotSeenByOperator']);
  });

  it('is ready only by what the operator says of the present spec', () => {
    const ready = (status: object | undefined) => isPoolReady(poolView(seenPool.parse(pool('a', status))));
    assert.equal(ready(healthy), true);
    assert.equal(ready({ ...healthy, observedGeneration: 1 }), false);
    assert.equal(ready({ ...healthy, conditions: conditions('False') }), false);
    assert.equal(ready(undefined), false);
  });

  it('shows the range of an autoscaled pool', () => {
    const spec = { autoscaling: { minReplicas: 1, maxReplicas: 20 } };
    assert.equal(poolView(seenPool.parse(pool('a', healthy, { spec }))).desired, '1-20');
  });
});

describe('the view of a pod', () => {
  const state = (options: Parameters<typeof pod>[1]) => stateOf(seenPod.parse(pod('a', options)));
  const drain = { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T00:00:00Z' };

  it('has one word for its state', () => {
    const waiting = (reason: string) => ({ containerStatuses: [{ name: 'agent', state: { waiting: { reason } } }] });
    assert.equal(state({}), 'Ready');
    assert.equal(state({ status: { conditions: [] } }), 'NotReady');
    assert.equal(state({ annotations: drain }), 'Draining');
    assert.equal(state({ annotations: drain, deleting: true, createdAt: 'x' }), 'Terminating');
    assert.equal(state({ status: waiting('CrashLoopBackOff') }), 'CrashLoopBackOff');
    assert.equal(state({ status: { phase: 'Pending', ...waiting('ContainerCreating') } }), 'ContainerCreating');
    assert.equal(state({ status: { phase: 'Failed', reason: 'Evicted' } }), 'Evicted');
    const unscheduled = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }];
    assert.equal(state({ status: { phase: 'Pending', conditions: unscheduled } }), 'Unschedulable');
  });

  it('takes for the current revision the one of as many serving pods as the operator counts', () => {
    const pods = [
      pod('a', { revision: 'old', createdAt: '2026-01-01T00:00:00Z' }),
      pod('b', { revision: 'old', createdAt: '2026-01-01T00:00:01Z', annotations: drain }),
      pod('c', { revision: 'new', createdAt: '2026-01-01T00:00:02Z' }),
    ].map((it) => seenPod.parse(it));
    assert.equal(currentRevision(pods, 1), 'new');
    assert.equal(currentRevision(pods, 0), undefined);
    assert.equal(currentRevision(pods.slice(0, 2), 1), 'old');
  });
});

describe('an age', () => {
  it('is told in the largest unit of which there are two', () => {
    const now = Date.parse('2026-01-10T00:00:00Z');
    const ages = ['2026-01-09T23:58:31Z', '2026-01-09T23:58:00Z', '2026-01-09T22:00:00Z', '2026-01-08T00:00:00Z', ''];
    assert.deepEqual(
      ages.map((since) => age(since, now)),
      ['89s', '2m', '2h', '2d', '-'],
    );
  });
});

describe('the sum of a metric', () => {
  it('is 0 where the metric is there without samples, and nothing where it is not', () => {
    const text = '# TYPE a gauge\na{state="idle"} 2\na{state="busy"} 1\n# TYPE b gauge\nab 7\n';
    assert.deepEqual(
      ['a', 'b', 'c'].map((metric) => sumOf(text, metric)),
      [3, 0, undefined],
    );
  });
});

describe('kubectl replpool status', () => {
  const run = (cluster: FakeCluster, ...args: string[]) =>
    kubectlReplpool(['status', ...args], { KUBECONFIG: cluster.kubeconfig });

  it("shows the pools of the context's namespace as a table", async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(POOLS, pool('data', healthy), pool('web', undefined), pool('other', healthy, { namespace: 'else' }));
    const { code, stdout } = await run(cluster);
    assert.equal(code, 0);
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines, [
      ['NAME', 'DESIRED', 'READY', 'UPDATED', 'ACTIVE', 'IDLE', 'CAPACITY', 'HIT-RATE', 'AGE', 'STATUS'],
      ['data', '2', '2', '2', '3', '8', '64', '0.97', '-', 'Ready'],
      ['web', '2', '0', '0', '-', '-', '-', '-', '-', 'NotSeenByOperator'],
      [''],
    ]);
  });

  it('shows all namespaces, and as JSON, where asked to; and the exit status tells whether all are ready', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(POOLS, pool('data', healthy), pool('other', undefined, { namespace: 'else' }));
    const all = await run(cluster, '-A', '-o', 'json', '--exit-code');
    assert.equal(all.code, 1);
    const { items } = JSON.parse(all.stdout) as { items: { namespace: string; name: string }[] };
    assert.deepEqual(
      items.map(({ namespace, name }) => `${namespace}/${name}`),
      ['team/data', 'else/other'],
    );
    assert.equal((await run(cluster, '--exit-code')).code, 0);
  });

  it('shows one pool with its conditions, pods, their sessions, and events', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(POOLS, pool('data', { ...healthy, updatedReplicas: 1 }));
    const until = '2026-01-01T00:00:00Z';
    const draining = pod('data-2', { revision: 'old', annotations: { [DRAIN_UNTIL_ANNOTATION]: until } });
    cluster.put(PODS, pod('data-1', {}), draining);
    const event = { type: 'Normal', reason: 'PodDrained', note: 'pod data-2 takes no new sessions' };
    const regarding = { kind: 'ReplPool', name: 'data', namespace: 'team' };
    cluster.put(EVENTS, { metadata: { name: 'e', namespace: 'team' }, ...event, regarding });
    cluster.texts.set(
      '/api/v1/namespaces/team/pods/data-1%3A9090/proxy/metrics',
      '# TYPE replpool_sessions gauge\nreplpool_sessions{pool="team:data",state="idle"} 3\n',
    );
    const { code, stdout } = await run(cluster, 'data');
    assert.equal(code, 0);
    assert.match(stdout, /^Pods: +2 desired, 2 ready, 1 updated, 2 there$/m);
    assert.match(stdout, /^ {2}Ready +True +- +PodsReady +m$/m);
    assert.match(stdout, /^ {2}data-1 +node-1 +Ready +current +- +3 +0/m);
    assert.match(stdout, /^ {2}data-2 +node-1 +Draining +old \(old\) +2026-01-01T00:00:00Z +- +0/m);
    assert.match(stdout, /PodDrained +replpool\/data +pod data-2 takes no new sessions/);
  });
});

describe('kubectl replpool, where the cluster says no,', () => {
  const run = (cluster: FakeCluster, ...args: string[]) => kubectlReplpool(args, { KUBECONFIG: cluster.kubeconfig });

  it('tells a cluster without the CRD from a pool that is not there', async () => {
    await using cluster = await FakeCluster.start();
    const without = await run(cluster, 'status');
    assert.match(without.stderr, /the cluster does not know ReplPools\n.*install ReplPool/);
    cluster.put(POOLS, pool('data', healthy));
    const missing = await run(cluster, 'status', 'web');
    assert.match(missing.stderr, /there is no ReplPool web in namespace team\n/);
    assert.deepEqual([without.code, missing.code], [2, 2]);
  });

  it('names the verb and the resource that the caller lacks', async () => {
    await using cluster = await FakeCluster.start();
    cluster.forbidden = () => true;
    const { code, stderr } = await run(cluster, 'status');
    assert.equal(code, 2);
    assert.match(stderr, /you may not list replpools\.replpool\.dev in namespace team/);
    assert.match(stderr, /kubectl auth can-i list replpools\.replpool\.dev -n team/);
  });

  it('ends with 3 where the API server does not answer', async () => {
    await using cluster = await FakeCluster.start();
    await cluster.stop();
    const { code, stderr } = await run(cluster, 'status');
    assert.equal(code, 3);
    assert.match(stderr, /the API server http:\/\/127\.0\.0\.1:\d+ does not answer[\s\S]*kubectl cluster-info/);
  });
});
