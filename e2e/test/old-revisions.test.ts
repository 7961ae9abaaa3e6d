import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { resources } from '@replpool/kube';
import { REVISION_LABEL } from '@replpool/protocol';
import { SMALL } from './support/pool.ts';
import { inProcess, type Operate, withRelease } from './support/release.ts';

/** An operator that a test ends and begins again. */
class Restarted {
  #begin: (() => Promise<AsyncDisposable>) | undefined;
  #running: AsyncDisposable | undefined;

  readonly operate: Operate = async (config, write) => {
    this.#begin = () => inProcess()(config, write);
    await this.begin();
    return { [Symbol.asyncDispose]: () => this.end() };
  };

  async begin(): Promise<void> {
    this.#running = await this.#begin?.();
  }

  async end(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }
}

describe('what a revision was started with', function () {
  this.timeout(180_000);
  const operator = new Restarted();
  const release = withRelease('revisions', operator.operate);

  it('goes when no pod is of it any more, though another operator made it', async () => {
    const pool = release().pool('data');
    const revisions = async () =>
      (await pool.owned<V1ConfigMap>(resources.configMaps)).map(({ metadata }) => metadata?.labels?.[REVISION_LABEL]);
    await pool.apply({ ...SMALL, replicas: 1 });
    const [first] = await pool.settled(1);
    assert.deepEqual(await revisions(), [first?.revision]);
    await operator.end();
    await pool.apply({ ...SMALL, replicas: 1, templates: [{ name: 'other' }], update: { drainSeconds: 1 } });
    await operator.begin();
    const [second] = await pool.podsUntil((pods) => pods.length === 1 && pods[0]?.revision !== first?.revision);
    while ((await revisions()).includes(first?.revision)) await sleep(100);
    assert.deepEqual(await revisions(), [second?.revision]);
  });
});
