import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1ConfigMap, V1Secret } from '@kubernetes/client-node';
import type { ReplPoolSpecInput } from '@replpool/protocol';
import { apply } from './support/apply.ts';
import { kubectl } from './support/kubectl.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import type { RouterClient } from './support/router-client.ts';

const secretOf = (name: string, stringData: Record<string, string>): V1Secret => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData },
});
const configMapOf = (name: string, data: Record<string, string>): V1ConfigMap => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data },
});

const spec: ReplPoolSpecInput = {
  ...{ ...SMALL, replicas: 1 },
  runtime: {
    env: [
      { name: 'PLAIN', value: 'plain' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
      { name: 'NOWHERE', valueFrom: { secretKeyRef: { name: 'db', key: 'none', optional: true } } },
    ],
    envFrom: [{ prefix: 'CONF_', configMapRef: { name: 'conf' } }, { secretRef: { name: 'absent', optional: true } }],
    warmupCode: 'import os; os.environ["PASSWORD"]',
  },
  update: { drainSeconds: 1 },
};

describe('the environment of sessions', function () {
  this.timeout(300_000);
  const release = withRelease('environment');
  let client: RouterClient;
  let pool: TestPool;

  before(async () => {
    const router = await release().startRouter();
    await router.ready();
    client = release().clientOf(router);
    pool = release().pool('with-env');
  });

  /** The kubelet looks at a pod's volumes once in one or two minutes, or when the pod changes. */
  async function letKubeletLook(): Promise<void> {
    const [pod] = await pool.pods();
    const changed = `changed-at=${Date.now()}`;
    await kubectl('annotate', 'pod', pod?.name ?? '', changed, '--overwrite', '--namespace', release().namespace);
  }

  async function shown(code: string): Promise<unknown> {
    const { id } = await client.session({ pool: pool.fullName });
    const { result, error } = await client.run(id, code);
    await client.end(id);
    assert.equal(error, undefined);
    return result?.data['text/plain'];
  }
  const get = (...names: string[]) => `import os; ${names.map((name) => `os.environ.get('${name}')`).join(', ')},`;

  it('is waited for while a Secret is missing, which the pool names', async () => {
    await apply(release().namespace, configMapOf('conf', { level: 'debug', '.9': 'kept' }));
    await pool.apply(spec);
    const { message } = await pool.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.match(message, /Secret db has no key password/);
  });

  it('is there once the Secret is, without a new pod', async () => {
    const [before] = await pool.pods();
    await apply(release().namespace, secretOf('db', { password: 'first', unused: 'of nobody' }));
    await letKubeletLook();
    const [after] = await pool.settled(1);
    assert.equal(after?.uid, before?.uid);
    assert.equal(await shown(get('PLAIN', 'PASSWORD', 'NOWHERE', 'CONF_level')), "('plain', 'first', None, 'debug')");
  });

  it('is not the agent’s, and of a Secret there is only the key that is named', async () => {
    const code = `import os
[name for name in ('PLAIN', 'PASSWORD', 'CONF_level') if name.encode() in open('/proc/1/environ', 'rb').read()], sorted(key for key in os.listdir('/etc/replpool-env/secrets/db') if not key.startswith('.'))`;
    assert.equal(await shown(code), "([], ['password'])");
  });

  it('is new for new sessions when a Secret has changed, and the same for those that there are', async () => {
    const { id } = await client.session({ pool: pool.fullName });
    await apply(release().namespace, secretOf('db', { password: 'second' }));
    await letKubeletLook();
    while ((await shown(get('PASSWORD'))) !== "('second',)") await sleep(200);
    assert.equal((await client.run(id, get('PASSWORD'))).result?.data['text/plain'], "('first',)");
  });
});
