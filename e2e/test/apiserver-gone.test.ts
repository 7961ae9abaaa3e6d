import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServerProxy } from './support/api-server-proxy.ts';
import { kubeConfig } from './support/cluster.ts';
import { SMALL } from './support/pool.ts';
import { inProcess, withRelease } from './support/release.ts';

/** Longer than a leader leads without the API server. */
const GONE_MS = 20_000;

describe('an operator without its API server', function () {
  this.timeout(180_000);
  let proxy: ApiServerProxy;
  const release = withRelease('apiserver-gone', async (config, write) => {
    proxy = await ApiServerProxy.start(kubeConfig);
    const operator = await inProcess(proxy.configOf(kubeConfig))(config, write);
    return {
      [Symbol.asyncDispose]: async () => {
        proxy.open();
        await operator[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  });

  let replicas = 1;
  for (const how of ['refuses', 'says nothing'] as const) {
    it(`touches no pod while it ${how}, sessions go on, and it comes back`, async () => {
      const pool = release().pool(how === 'refuses' ? 'refused' : 'stalled');
      await pool.apply({ ...SMALL, replicas });
      const before = await pool.settled(replicas);
      const router = await release().startRouter();
      await router.ready();
      const client = release().clientOf(router);
      const session = await client.session({ pool: pool.fullName });
      await client.run(session.id, 'x = 1');

      if (how === 'refuses') proxy.refuse();
      else proxy.stall();
      await pool.scale(replicas + 1);
      const end = performance.now() + GONE_MS;
      while (performance.now() < end) {
        await client.run(session.id, 'x += 1');
        await sleep(500);
      }
      assert.deepEqual(await pool.pods(), before);

      proxy.open();
      replicas += 1;
      const after = await pool.settled(replicas);
      assert.ok(before.every(({ uid }) => after.some((pod) => pod.uid === uid)));
      assert.equal((await client.run(session.id, 'x > 1')).result?.data['text/plain'], 'True');
    });
  }
});
