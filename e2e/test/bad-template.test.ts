import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from './support/kubectl.ts';
import { SMALL } from './support/pool.ts';
import { withRelease } from './support/release.ts';

const spec = { ...SMALL, update: { drainSeconds: 1 } };

describe('a pool that cannot be as its template says', function () {
  this.timeout(180_000);
  const release = withRelease('bad-template');

  /** Waits for an event of the pool. */
  const event = async (pool: string, reason: string): Promise<string> => {
    const fields = `involvedObject.kind=ReplPool,involvedObject.name=${pool},reason=${reason}`;
    for (;;) {
      const events = ['get', 'events', '-n', release().namespace, '--field-selector', fields];
      const notes = await kubectl(...events, '-o', 'jsonpath={.items[*].message}');
      if (notes !== '') return notes;
      await sleep(200);
    }
  };

  it('says which template does not warm and why, while the others serve and nothing starts again', async () => {
    const pool = release().pool('one-wrong');
    await pool.apply({ ...spec, templates: [{ name: 'wrong', preload: ['no_such_module'] }] });
    const degraded = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.equal(degraded.reason, 'TemplateFails');
    assert.match(degraded.message, /template wrong: ModuleNotFoundError: No module named 'no_such_module'/);
    assert.match(await event('one-wrong', 'TemplateFails'), /no_such_module/);
    const [pod] = await pool.settled(1);
    assert.equal(pod?.container?.restarts, 0);
    const router = await release().startRouter();
    await router.ready();
    const client = release().clientOf(router);
    const { id } = await client.session({ pool: pool.fullName });
    assert.equal((await client.run(id, '6 * 7')).result?.data['text/plain'], '42');
    await pool.apply(spec);
    await pool.conditionUntil('Degraded', ({ status }) => status === 'False');
    await pool.settled(1);
  });

  it('keeps the old pods of an update to a template that does not warm, and goes on when it is put right', async () => {
    const pool = release().pool('update');
    const careful = { ...spec, replicas: 2, update: { maxUnavailable: 0, maxSurge: 1, drainSeconds: 1 } };
    await pool.apply(careful);
    const old = await pool.settled(2);
    await pool.apply({ ...careful, runtime: { warmupCode: 'raise ValueError("first\\nlast line")' } });
    const degraded = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.equal(degraded.reason, 'TemplateFails');
    assert.match(degraded.message, /template default: ValueError: first … last line/);
    assert.equal((await pool.condition('Ready'))?.status, 'True');
    const pods = await pool.pods();
    for (const { uid } of old) assert.ok(pods.some((pod) => pod.uid === uid && pod.ready && !pod.leaving));
    assert.deepEqual(
      pods.map(({ container }) => container?.restarts),
      [0, 0, 0],
    );
    await pool.apply(careful);
    const after = await pool.settled(2);
    assert.deepEqual(after.map(({ uid }) => uid).toSorted(), old.map(({ uid }) => uid).toSorted());
  });

  it('says which image cannot be had, and starts when it can', async () => {
    const pool = release().pool('image');
    await pool.apply({ ...spec, runtime: { image: 'e2e.local/none:1' } });
    const degraded = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.equal(degraded.reason, 'ImageUnavailable');
    assert.match(degraded.message, /e2e\.local\/none:1/);
    await pool.apply(spec);
    await pool.settled(1);
    assert.equal((await pool.condition('Degraded'))?.status, 'False');
  });

  it('says which isolation its nodes lack, in place of pods that crash without a word', async () => {
    const pool = release().pool('isolation');
    await pool.apply({ ...spec, isolation: { level: 'Strict', cgroups: 'None' } });
    const missing = await pool.conditionUntil('IsolationUnavailable', ({ status }) => status === 'True');
    assert.match(missing.message, /spec\.isolation\.level: Strict cannot be enforced/);
    assert.equal((await pool.pods()).length, 1);
    assert.equal((await pool.condition('Degraded'))?.status, 'False');
    await pool.apply(spec);
    await pool.settled(1);
    assert.equal((await pool.condition('IsolationUnavailable'))?.status, 'False');
  });

  it('says what its environment is to be made from and is not there', async () => {
    const pool = release().pool('environment');
    await pool.apply({ ...spec, runtime: { envFrom: [{ configMapRef: { name: 'settings' } }] } });
    const degraded = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.match(degraded.message, /ConfigMap settings is missing/);
    assert.equal((await pool.condition('Ready'))?.status, 'False');
  });
});
