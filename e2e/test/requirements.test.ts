import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import type { ReplPoolSpecInput } from '@replpool/protocol';
import { apply } from './support/apply.ts';
import { image } from './support/images.ts';
import { kubectl } from './support/kubectl.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import type { RouterClient } from './support/router-client.ts';

const WHEEL = 'e2e_greeting-1.0-py3-none-any.whl';

/** A package of one module, as `pip install` takes it. */
function wheel(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'replpool-wheel-'));
  try {
    const info = join(folder, 'e2e_greeting-1.0.dist-info');
    mkdirSync(info);
    writeFileSync(join(folder, 'e2e_greeting.py'), "TEXT = 'hello from a wheel'\n");
    writeFileSync(join(info, 'METADATA'), 'Metadata-Version: 2.1\nName: e2e-greeting\nVersion: 1.0\n');
    writeFileSync(
      join(info, 'WHEEL'),
      'Wheel-Version: 1.0\nGenerator: e2e\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    );
    const files = [
      'e2e_greeting.py',
      ...['METADATA', 'WHEEL', 'RECORD'].map((name) => `e2e_greeting-1.0.dist-info/${name}`),
    ];
    writeFileSync(join(info, 'RECORD'), files.map((file) => `${file},,\n`).join(''));
    const zip = ['-m', 'zipfile', '-c', join(folder, WHEEL), 'e2e_greeting.py', 'e2e_greeting-1.0.dist-info'];
    execFileSync('python3', zip, { cwd: folder });
    return readFileSync(join(folder, WHEEL));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An index with that wheel alone, https://peps.python.org/pep-0503/. */
async function serveIndex(namespace: string): Promise<string> {
  const files: V1ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'index' },
    binaryData: { [WHEEL]: wheel().toString('base64') },
    data: { 'index.html': `<a href="${WHEEL}">${WHEEL}</a>\n` },
  };
  const server: V1Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'index' },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'index',
          image: await image('agent'),
          command: ['python3', '-m', 'http.server', '--directory', '/srv', '8000'],
          readinessProbe: { httpGet: { path: '/simple/e2e-greeting/', port: 8000 }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'files', mountPath: '/srv/simple/e2e-greeting', readOnly: true }],
        },
      ],
      volumes: [{ name: 'files', configMap: { name: 'index' } }],
    },
  };
  await apply(namespace, files, server);
  await kubectl('wait', 'pod/index', '--for=condition=Ready', '--timeout=60s', '--namespace', namespace);
  const ip = await kubectl('get', 'pod/index', '--namespace', namespace, '-o', 'jsonpath={.status.podIP}');
  return `http://${ip}:8000/simple`;
}

describe('the requirements of a pool', function () {
  this.timeout(300_000);
  const release = withRelease('requirements');
  let index: string;
  let client: RouterClient;
  let pool: TestPool;

  const wanted = (...requirements: string[]): ReplPoolSpecInput => ({
    ...{ ...SMALL, replicas: 1, runtime: { requirements }, network: { packageIndex: index } },
    update: { drainSeconds: 1 },
  });

  before(async () => {
    index = await serveIndex(release().namespace);
    const router = await release().startRouter();
    await router.ready();
    client = release().clientOf(router);
    pool = release().pool('with-requirements');
  });

  it('are there for its sessions, beside what the image has', async () => {
    await pool.apply(wanted('e2e-greeting == 1.0', 'jedi  # which is there already, and on no index that we have'));
    await pool.settled(1);
    const { id } = await client.session({ pool: pool.fullName });
    const code = 'import e2e_greeting, jedi; e2e_greeting.TEXT, jedi.__file__.startswith("/opt/replpool/")';
    const { result, error } = await client.run(id, code);
    assert.equal(error, undefined);
    assert.equal(result?.data['text/plain'], "('hello from a wheel', True)");
  });

  it('cannot be changed by the code of a session', async () => {
    const { id } = await client.session({ pool: pool.fullName });
    const { error } = await client.run(id, 'import e2e_greeting; open(e2e_greeting.__file__, "a")');
    assert.ok(error && 'name' in error, JSON.stringify(error));
    assert.equal(error.name, 'OSError');
  });

  it('that no index has are named by the pool, in pip’s words', async () => {
    const other = release().pool('without');
    await other.apply(wanted('e2e-no-such-package'));
    const { message } = await other.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.match(message, /requirements.*No matching distribution found for e2e-no-such-package/s);
    await other.delete();
  });

  it('that cannot stand beside the worker’s own are refused', async () => {
    const other = release().pool('conflicting');
    await other.apply(wanted('jedi == 0.1'));
    const { message } = await other.conditionUntil('Degraded', ({ status }) => status === 'True');
    assert.match(message, /requirements.*Cannot install .*jedi/s);
    await other.delete();
  });
});
