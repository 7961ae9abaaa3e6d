import assert from 'node:assert/strict';
import { toPodObject } from '../src/pool/pod-object.ts';
import { PodsByPool } from '../src/pool/pods.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';

const podOf = (name: string, pool: string) =>
  toPodObject({
    metadata: {
      name,
      namespace: 'team',
      uid: `uid-${name}`,
      resourceVersion: '1',
      labels: { 'replpool.dev/pool': pool },
    },
  });

describe('the pods by their pools', () => {
  it('are found by the pool that their label names, until they are gone', () => {
    const pods = new PodsByPool();
    assert.equal(pods.put(podOf('a', 'data')), 'team/data');
    pods.put(podOf('b', 'data'));
    pods.put(podOf('c', 'other'));
    assert.deepEqual(
      pods.of('team/data').map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
    assert.equal(pods.poolOf('uid-c'), 'team/other');
    pods.remove(podOf('a', 'data'));
    assert.deepEqual(
      pods.of('team/data').map(({ metadata }) => metadata.name),
      ['b'],
    );
    assert.equal(pods.poolOf('uid-a'), undefined);
  });

  it('leave the pool that they were of when their label names another one', () => {
    const pods = new PodsByPool();
    pods.put(podOf('a', 'data'));
    assert.equal(pods.put(podOf('a', 'other')), 'team/other');
    assert.deepEqual([pods.of('team/data').length, pods.of('team/other').length], [0, 1]);
    // As the API server tells of one that lost the label by which it was watched.
    assert.equal(pods.remove(podOf('a', '')), 'team/other');
    assert.deepEqual(pods.of('team/other'), []);
  });

  it('drop what nobody reads', () => {
    const pod = toPodObject({ ...podOf('a', 'data'), spec: { containers: ['much'] } });
    assert.ok(!('spec' in pod));
  });

  it('are of a kind, as pools are, which events name', () => {
    const { apiVersion, kind } = podOf('a', 'data');
    assert.deepEqual([apiVersion, kind], ['v1', 'Pod']);
    const metadata = { name: 'data', namespace: 'team', uid: 'u', resourceVersion: '1' };
    const pool = toPoolObject({ metadata, spec: {} });
    assert.deepEqual([pool.apiVersion, pool.kind], ['replpool.dev/v1alpha1', 'ReplPool']);
  });
});
