import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { image } from '../support/images.ts';
import { kubectl } from '../support/kubectl.ts';
import { Namespace } from '../support/namespace.ts';
import { report } from '../support/report.ts';
import { RouterClient } from '../support/router-client.ts';
import { tokenOf } from '../support/token.ts';

const root = join(import.meta.dirname, '../../..');
const examples = join(root, 'examples/cluster');

/** deploy/kustomize, and an overlay in it that is the example's with another namespace, other images and one namespace to watch. */
async function overlayFor(namespace: string, watchNamespace: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replpool-kustomize-'));
  await cp(join(root, 'deploy/kustomize'), folder, { recursive: true });
  const overlay = join(folder, 'overlays/example');
  const change = async (file: string, of: (text: string) => string) => {
    const path = join(overlay, file);
    await writeFile(path, of(await readFile(path, 'utf8')));
  };
  const images = { operator: await image('operator'), router: await image('router') };
  await change('kustomization.yaml', (text) =>
    Object.entries(images).reduce(
      (done, [name, whole]) => {
        const tag = whole.lastIndexOf(':');
        const named = `newName: ${whole.slice(0, tag)}\n    newTag: ${whole.slice(tag + 1)}`;
        return done.replace(new RegExp(`newName: \\S+replpool-${name}\\n {4}newTag: \\S+`), named);
      },
      text.replaceAll('code-sessions', namespace),
    ),
  );
  await change('namespace.yaml', (text) => text.replaceAll('code-sessions', namespace));
  const config = async (file: string, of: object) =>
    change(file, (text) => JSON.stringify({ ...(JSON.parse(text) as object), ...of }));
  await config('operator.json', { namespace, watchNamespace, agentImage: await image('agent') });
  await config('router.json', { discovery: { watchNamespace } });
  return overlay;
}

describe('kubectl apply -k', function () {
  this.timeout(300_000);
  let namespace: Namespace;
  let pools: Namespace;
  let overlay: string;

  before(async () => {
    namespace = await Namespace.create('kustomize');
    pools = await Namespace.create('kustomize-pools');
    overlay = await overlayFor(namespace.name, pools.name);
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    await report(namespace.name);
    await report(pools.name);
  });
  after(async () => {
    await rm(join(overlay, '../..'), { recursive: true });
    await pools?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
    // What belongs to no namespace would stay; not the CRD, with which every pool of the cluster would go.
    const labels = ['-l', 'app.kubernetes.io/name=replpool,app.kubernetes.io/instance=replpool'];
    await kubectl('delete', 'clusterrole,clusterrolebinding', ...labels);
  });

  it('installs a release that serves code to who has the right', async () => {
    await kubectl('apply', '--server-side', '--force-conflicts', '-k', overlay);
    for (const name of ['operator', 'router']) {
      await kubectl('rollout', 'status', `deployment/replpool-${name}`, '-n', namespace.name, '--timeout=120s');
    }
    await kubectl('apply', '-n', pools.name, '-f', `${examples}/first-pool.yaml`, '-f', `${examples}/user.yaml`);
    await kubectl('wait', '-n', pools.name, '--for=condition=Ready', 'replpool/default', '--timeout=120s');
    const service = ['get', 'service', 'replpool-router', '-n', namespace.name, '-o', 'jsonpath={.spec.clusterIP}'];
    const client = new RouterClient(`http://${await kubectl(...service)}`, await tokenOf(pools.name, 'analyst'));
    const { id } = await client.session();
    assert.equal((await client.run(id, '6 * 7')).result?.data['text/plain'], '42');
  });

  it('gives operator and routers their rights in all namespaces, and no list of Secrets', async () => {
    const may = async (name: string, verb: string, resource: string): Promise<string> => {
      const as = `--as=system:serviceaccount:${namespace.name}:replpool-${name}`;
      const said = kubectl('auth', 'can-i', verb, resource, as, '--all-namespaces');
      return (await said.catch((error: { stdout: string }) => error.stdout)).trim();
    };
    assert.equal(await may('operator', 'watch', 'replpools'), 'yes');
    assert.equal(await may('operator', 'create', 'pods'), 'yes');
    assert.equal(await may('operator', 'list', 'secrets'), 'no');
    assert.equal(await may('router', 'watch', 'pods'), 'yes');
    assert.equal(await may('router', 'create', 'tokenreviews'), 'yes');
    assert.equal(await may('router', 'get', 'secrets'), 'no');
  });

  it('starts pods anew when their configuration changes', async () => {
    const path = join(overlay, 'router.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...config, drainSeconds: 25 }));
    const generation = () =>
      kubectl('get', 'deployment', 'replpool-router', '-n', namespace.name, '-o', 'jsonpath={.metadata.generation}');
    const before = await generation();
    await kubectl('apply', '--server-side', '--force-conflicts', '-k', overlay);
    assert.notEqual(await generation(), before);
    await kubectl('rollout', 'status', 'deployment/replpool-router', '-n', namespace.name, '--timeout=120s');
  });
});
