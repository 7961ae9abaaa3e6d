import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { PoolMetrics } from '../src/pool/pool-metrics.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';

const condition = (type: string, status: string) => ({
  ...{ type, status, reason: 'R', message: 'm' },
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

function pool(name: string, status?: object) {
  return toPoolObject({ metadata: { name, namespace: 'team', uid: name, resourceVersion: '1' }, spec: {}, status });
}

describe('the metrics of pools', () => {
  const status = {
    ...{ desiredReplicas: 3, replicas: 2, readyReplicas: 1, updatedReplicas: 2 },
    conditions: [condition('Ready', 'False'), condition('Degraded', 'True')],
  };

  it('say what each condition is and is not, and how many pods are wanted and there', async () => {
    const registry = new Registry();
    using _observed = new PoolMetrics(registry).observe(() => [pool('data', status), pool('new')]);
    const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(lines, [
      'replpool_pool_condition{pool="team:data",type="Ready",status="True"} 0',
      'replpool_pool_condition{pool="team:data",type="Ready",status="False"} 1',
      'replpool_pool_condition{pool="team:data",type="Ready",status="Unknown"} 0',
      'replpool_pool_condition{pool="team:data",type="Degraded",status="True"} 1',
      'replpool_pool_condition{pool="team:data",type="Degraded",status="False"} 0',
      'replpool_pool_condition{pool="team:data",type="Degraded",status="Unknown"} 0',
      'replpool_pool_replicas{pool="team:data",state="desired"} 3',
      'replpool_pool_replicas{pool="team:data",state="current"} 2',
      'replpool_pool_replicas{pool="team:data",state="ready"} 1',
      'replpool_pool_replicas{pool="team:data",state="updated"} 2',
    ]);
  });

  it('are there only while their operator leads', async () => {
    const registry = new Registry();
    const metrics = new PoolMetrics(registry);
    metrics.observe(() => [pool('data', status)])[Symbol.dispose]();
    assert.ok(!(await registry.metrics()).includes('team:data'));
  });
});
