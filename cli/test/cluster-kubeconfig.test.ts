import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Cluster } from '../src/cluster/cluster.ts';
import { loadKubeConfig } from '../src/cluster/kubeconfig.ts';

describe('the kubeconfig', () => {
  let folder: string;
  let one: string;
  let two: string;

  const config = (name: string, server: string, current: string) =>
    JSON.stringify({
      clusters: [
        { name: 'shared', cluster: { server } },
        { name, cluster: { server: `https://${name}` } },
      ],
      users: [{ name, user: { token: name } }],
      contexts: [
        { name, context: { cluster: name, user: name, namespace: `of-${name}` } },
        { name: `${name}-shared`, context: { cluster: 'shared', user: name } },
      ],
      'current-context': current,
    });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rp-kubeconfig-'));
    [one, two] = [join(folder, 'one'), join(folder, 'two')];
    await writeFile(one, config('one', 'https://first', 'one'));
    await writeFile(two, config('two', 'https://second', 'two'));
  });
  after(() => rm(folder, { recursive: true }));

  const env = () => ({ HOME: folder, KUBECONFIG: [join(folder, 'missing'), one, two].join(delimiter) });

  it('is the files of $KUBECONFIG that are there; of two entries with one name the first counts', () => {
    const loaded = loadKubeConfig({}, env());
    assert.equal(loaded.getCurrentCluster()?.server, 'https://one');
    assert.equal(loadKubeConfig({ context: 'two-shared' }, env()).getCurrentCluster()?.server, 'https://first');
    assert.equal(loadKubeConfig({ context: 'two' }, env()).getCurrentUser()?.token, 'two');
  });

  it('is the file of --kubeconfig, whatever $KUBECONFIG says', () => {
    assert.equal(loadKubeConfig({ kubeconfig: two }, env()).getCurrentCluster()?.server, 'https://two');
  });

  it('that is not there, cannot be read or lacks the context is wrong use, and says what there is', async () => {
    const wrong = (options: object, at: NodeJS.ProcessEnv, message: RegExp) =>
      assert.throws(() => loadKubeConfig(options, at), { name: 'CommandFailure', exitCode: 2, message });
    wrong({}, { HOME: folder }, /there is no kubeconfig at .*\.kube\/config/);
    wrong({ kubeconfig: '/missing' }, env(), /there is no kubeconfig at \/missing/);
    wrong({ context: 'three' }, env(), /no context 'three'/);
    const broken = join(folder, 'broken');
    await writeFile(broken, 'clusters: [');
    wrong({ kubeconfig: broken }, {}, /cannot read the kubeconfig/);
    await writeFile(broken, '{}');
    wrong({ kubeconfig: broken }, {}, /names no current context/);
  });

  it('gives the namespace, which --namespace and --all-namespaces overrule', () => {
    const scope = (options: object) => {
      using cluster = Cluster.open(options, env());
      return [cluster.namespace, cluster.scope];
    };
    assert.deepEqual(scope({}), ['of-one', 'of-one']);
    assert.deepEqual(scope({ context: 'one-shared' }), ['default', 'default']);
    assert.deepEqual(scope({ namespace: 'mine' }), ['mine', 'mine']);
    assert.deepEqual(scope({ allNamespaces: true }), ['of-one', undefined]);
  });
});
