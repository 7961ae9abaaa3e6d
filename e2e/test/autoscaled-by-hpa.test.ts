import assert from 'node:assert/strict';
import { apply } from './support/apply.ts';
import { kubectl } from './support/kubectl.ts';
import { SMALL } from './support/pool.ts';
import { withRelease } from './support/release.ts';

describe('a HorizontalPodAutoscaler', function () {
  this.timeout(180_000);
  const release = withRelease('hpa');

  /** Its metric is nobody's here, so what it does is bring the pool within its bounds: by the scale subresource, as with any metric. */
  const hpa = (minReplicas: number, maxReplicas: number) =>
    apply(release().namespace, {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'data' },
      spec: {
        ...{ minReplicas, maxReplicas },
        scaleTargetRef: { apiVersion: 'replpool.dev/v1alpha1', kind: 'ReplPool', name: 'data' },
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
        ],
      },
    } as object);

  it('reads how many pods a pool has and by what they are found, and sets how many it is to have', async () => {
    const pool = release().pool('data');
    await pool.apply({ ...SMALL, update: { drainSeconds: 1 } });
    await pool.settled(1);
    const scale = JSON.parse(
      await kubectl(
        'get',
        '--raw',
        `/apis/replpool.dev/v1alpha1/namespaces/${release().namespace}/replpools/data/scale`,
      ),
    ) as { status: { replicas: number; selector: string } };
    assert.equal(scale.status.replicas, 1);
    const found = await kubectl('get', 'pods', '-n', release().namespace, '-l', scale.status.selector, '-o', 'name');
    assert.equal(found.trim().split('\n').length, 1);

    await hpa(2, 3);
    await pool.settled(2);
    const able = '{.status.conditions[?(@.type=="AbleToScale")].status}';
    assert.equal(await kubectl('get', 'hpa', 'data', '-n', release().namespace, '-o', `jsonpath=${able}`), 'True');
    await kubectl('delete', 'hpa', 'data', '-n', release().namespace);
    await hpa(1, 1);
    await pool.settled(1);
  });
});
