import assert from 'node:assert/strict';
import { DRAIN_UNTIL_ANNOTATION } from '@replpool/protocol';
import { drainOrder, poolOf } from '../src/cluster/drain/drain-order.ts';
import { seenPod, seenPool } from '../src/cluster/objects.ts';
import { FakeCluster, type FakeObject } from './fakes/fake-cluster.ts';
import { kubectlReplpool } from './support/replpool.ts';

const PODS = '/api/v1/pods';
const POOLS = '/apis/replpool.dev/v1alpha1/replpools';

const pool = (spec: object = {}): FakeObject => ({
  metadata: { name: 'data', namespace: 'team' },
  spec: { update: { drainSeconds: 60 }, ...spec },
});

function pod(name: string, metadata: object = {}): FakeObject {
  const labels = { 'app.kubernetes.io/component': 'agent', 'replpool.dev/pool': 'data' };
  return { metadata: { name, namespace: 'team', uid: `uid-${name}`, labels, ...metadata }, spec: {} };
}

describe('the order to drain a pod', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const order = (metadata: object, spec: object, timeout?: number) =>
    drainOrder(seenPod.parse(pod('a', metadata)), seenPool.parse(pool(spec)), timeout, now);
  const draining = { annotations: { [DRAIN_UNTIL_ANNOTATION]: '2026-01-01T01:00:00.000Z' } };

  it("ends by the pool's drainSeconds, or by what the caller says", () => {
    assert.deepEqual(order({}, {}), { kind: 'drain', until: '2026-01-01T00:01:00.000Z' });
    assert.deepEqual(order({}, {}, 5), { kind: 'drain', until: '2026-01-01T00:00:05.000Z' });
  });

  it('leaves a drain as it is, but for an end that the caller names', () => {
    assert.deepEqual(order(draining, {}), { kind: 'drains already', until: '2026-01-01T01:00:00.000Z' });
    assert.deepEqual(order(draining, {}, 0), {
      ...{ kind: 'drain', until: '2026-01-01T00:00:00.000Z', instead: '2026-01-01T01:00:00.000Z' },
    });
  });

  it('is none for a pod that terminates, and refused where the operator would not act on it', () => {
    assert.deepEqual(order({ deletionTimestamp: '2026-01-01T00:00:00Z' }, {}), { kind: 'terminates' });
    assert.throws(() => order({}, { paused: true }), { exitCode: 2, message: /pool data is paused/ });
  });

  it('is refused for a pod that is no agent', () => {
    for (const labels of [{}, { 'replpool.dev/pool': 'data' }, { 'app.kubernetes.io/component': 'agent' }]) {
      assert.throws(() => poolOf(seenPod.parse(pod('a', { labels }))), { exitCode: 2, message: /pod a is no agent/ });
    }
  });
});

describe('kubectl replpool drain', () => {
  it('marks this very pod, and says until when', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(PODS, pod('data-1'));
    cluster.put(POOLS, pool());
    const { code, stdout } = await kubectlReplpool(['drain', 'data-1', '--timeout', '5'], {
      KUBECONFIG: cluster.kubeconfig,
    });
    assert.equal(code, 0);
    const patch = cluster.requests.find(({ method }) => method === 'PATCH');
    assert.equal(patch?.path, '/api/v1/namespaces/team/pods/data-1');
    const { metadata } = JSON.parse(patch?.body ?? '') as {
      metadata: { uid: string; annotations: Record<string, string> };
    };
    assert.equal(metadata.uid, 'uid-data-1');
    const until = metadata.annotations[DRAIN_UNTIL_ANNOTATION];
    assert.equal(stdout, `pod/data-1 drains: it is deleted when its last session is gone, or at ${until}\n`);
  });

  it('with --wait ends when the pod is gone', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(PODS, pod('data-1', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    cluster.put(POOLS, pool());
    const ended = kubectlReplpool(['drain', 'data-1', '--wait'], { KUBECONFIG: cluster.kubeconfig });
    // Seen once by the command, and once by its wait.
    const gets = () => cluster.requests.filter(({ path }) => path.endsWith('/pods/data-1')).length;
    while (gets() < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    cluster.objects.set(PODS, []);
    const { code, stdout } = await ended;
    assert.equal(code, 0);
    assert.equal(stdout, 'pod/data-1 terminates already\npod/data-1 terminates\npod/data-1 is gone\n');
  });
});
