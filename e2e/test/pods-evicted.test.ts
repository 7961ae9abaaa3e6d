import assert from 'node:assert/strict';
import type { ReplPoolSpecInput } from '@replpool/protocol';
import { until } from './support/api-namespace.ts';
import { SMALL } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import { Refusal } from './support/router-client.ts';

const TOO_MUCH = "open('/tmp/filled', 'wb').write(bytes(96 << 20))";
const spec: ReplPoolSpecInput = {
  ...SMALL,
  update: { drainSeconds: 1 },
  podTemplate: { resources: { limits: { 'ephemeral-storage': '64Mi' } } },
};

describe('a pod that the kubelet evicts', function () {
  this.timeout(240_000);
  const release = withRelease('evicted');

  it('is replaced, and its sessions are lost with a reason', async () => {
    const pool = release().pool('once');
    await pool.apply(spec);
    const [first] = await pool.settled(1);
    const router = await release().startRouter();
    await router.ready();
    const client = release().clientOf(router);
    const session = await client.session({ pool: pool.fullName });
    await client.run(session.id, TOO_MUCH);
    await pool.podsUntil((pods) => pods.length > 0 && pods.every(({ uid }) => uid !== first?.uid));
    await pool.settled(1);
    assert.equal((await pool.condition('Degraded'))?.status, 'False');
    await until(async () => {
      const refusal: unknown = await client.get(session.id).catch((error: unknown) => error);
      return refusal instanceof Refusal && refusal.lostReason !== undefined;
    });
  });

  it('is replaced more slowly each time where its replacements are evicted too, and the pool says why', async () => {
    const pool = release().pool('always');
    await pool.apply({ ...spec, runtime: { warmupCode: TOO_MUCH } });
    const { reason, message } = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.equal(reason, 'PodsFail');
    assert.match(message, /^2 pods in a row failed, the last always-\w{5}: Evicted: .*ephemeral.*not before/s);
    await pool.apply(spec);
    await pool.settled(1);
    assert.equal((await pool.condition('Degraded'))?.status, 'False');
  });
});
