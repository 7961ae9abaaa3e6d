import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HelmRelease, helm } from '../support/helm.ts';
import { image } from '../support/images.ts';
import { kubectl, kubectlWith } from '../support/kubectl.ts';
import { Namespace } from '../support/namespace.ts';
import { report } from '../support/report.ts';
import { Refusal, RouterClient } from '../support/router-client.ts';
import { runInPod } from '../support/run-in-pod.ts';
import { tokenOf } from '../support/token.ts';

const root = join(import.meta.dirname, '../../..');
const examples = join(root, 'examples/cluster');

describe('the chart', function () {
  this.timeout(300_000);
  let namespace: Namespace;
  let pools: Namespace;
  let release: HelmRelease;

  before(async () => {
    namespace = await Namespace.create('chart');
    pools = await Namespace.create('chart-pools');
    release = await HelmRelease.install({
      ...{ name: 'rp', namespace: namespace.name, watchNamespace: pools.name },
      // The pools' namespace enforces restricted pods.
      args: ['--set', 'operator.cgroups=None'],
    });
    await kubectl('apply', '-n', pools.name, '-f', `${examples}/first-pool.yaml`, '-f', `${examples}/user.yaml`);
    await kubectl('wait', '-n', pools.name, '--for=condition=Ready', 'replpool/default', '--timeout=120s');
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    await report(namespace.name);
    await report(pools.name);
  });
  after(async () => {
    await pools?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  const clientOf = async (account: string) => new RouterClient(await release.url(), await tokenOf(pools.name, account));

  it('serves code to who has the right, through the Service', async () => {
    const client = await clientOf('analyst');
    const { id, pool } = await client.session();
    assert.equal(pool, `${pools.name}:default`);
    await client.run(id, 'x = 41');
    assert.equal((await client.run(id, 'x + 1')).result?.data['text/plain'], '42');
    await client.end(id);
  });

  it('refuses who has no token, and who has no right', async () => {
    const url = await release.url();
    assert.equal((await fetch(`${url}/v1/pools`)).status, 401);
    await assert.rejects((await clientOf('stranger')).session(), (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.problem.code, 'FORBIDDEN');
      return true;
    });
  });

  it("serves code to a pod with its own ServiceAccount's token", async () => {
    const said = await runInPod(pools.name, {
      image: await image('router'),
      serviceAccount: 'analyst',
      env: { ROUTER_URL: await release.url() },
      script: `
        const authorization = 'Bearer ' + require('node:fs').readFileSync('/var/run/replpool/token', 'utf8');
        const headers = { authorization, 'content-type': 'application/json' };
        const body = JSON.stringify({ code: 'print(6 * 7)' });
        fetch(process.env.ROUTER_URL + '/v1/run', { method: 'POST', headers, body })
          .then((response) => response.json())
          .then(({ stdout }) => process.stdout.write(stdout));`,
    });
    assert.equal(said, '42\n');
  });

  it('passes its own test', async () => {
    await helm('test', release.name, '--namespace', namespace.name, '--timeout', '120s');
  });

  it('has every right that it needs: nothing that operator and router asked for was forbidden', async () => {
    const pods = await kubectl('get', 'pods', '-n', namespace.name, '-o', 'jsonpath={.items[*].metadata.name}');
    const names = pods.split(' ').filter((name) => /-(operator|router)-/.test(name));
    assert.equal(names.length, 4);
    for (const name of names) {
      const path = `/api/v1/namespaces/${namespace.name}/pods/${name}:9090/proxy/metrics`;
      const metrics = await kubectl('get', '--raw', path);
      assert.ok(metrics.includes('rest_client_requests_total{') || name.includes('-router-'), name);
      assert.doesNotMatch(metrics, /rest_client_requests_total\{.*code="403"/, name);
    }
  });

  it('gives people rights on pools with the rights that they have in a namespace', async () => {
    const may = async (role: string, verb: string, what: string): Promise<boolean> => {
      await tokenOf(pools.name, role);
      await kubectlWith(
        JSON.stringify({
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: role },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
          subjects: [{ kind: 'ServiceAccount', name: role, namespace: pools.name }],
        }),
        ...['apply', '-n', pools.name, '-f', '-'],
      );
      const as = `--as=system:serviceaccount:${pools.name}:${role}`;
      const [resource = '', subresource = ''] = what.split('/');
      const question = ['auth', 'can-i', verb, resource, `--subresource=${subresource}`, as, '-n', pools.name];
      // It exits 1 where the answer is no.
      return (await kubectl(...question).catch((error: { stdout: string }) => error.stdout)).trim() === 'yes';
    };
    assert.ok(await may('view', 'list', 'replpools'));
    assert.ok(!(await may('view', 'create', 'replpools')));
    assert.ok(await may('edit', 'create', 'replpools'));
    assert.ok(await may('edit', 'patch', 'replpools/scale'));
    assert.ok(!(await may('edit', 'connect', 'replpools/sessions')));
    assert.ok(await may('replpool-session-user', 'create', 'replpools/sessions'));
    assert.ok(!(await may('replpool-session-user', 'list', 'replpools/sessions')));
    assert.ok(await may('replpool-session-admin', 'connect', 'replpools/sessions'));
  });

  for (const file of readdirSync(join(root, 'charts/test/values'))) {
    it(`is taken by the API server with ${file}, strictly`, async () => {
      const served = await kubectl('api-resources', '--no-headers', '-o', 'name');
      // What the operators of Prometheus and gateways bring is not in every cluster.
      const absent = [
        ...(served.includes('monitoring.coreos.com') ? [] : ['serviceMonitor', 'podMonitor', 'prometheusRule']).map(
          (each) => `metrics.${each}.enabled=false`,
        ),
        ...(served.includes('httproutes.gateway.networking.k8s.io') ? [] : ['router.httpRoute.enabled=false']),
      ];
      const args = ['--set', [...absent, `watchNamespace=${pools.name}`].join(',')];
      const chart = join(root, 'charts/replpool');
      const values = join(root, 'charts/test/values', file);
      const all = ['--skip-tests', '--namespace', namespace.name, '-f', values, ...args, '--kube-version', '1.34.0'];
      const manifests = await helm('template', 'other', chart, ...all);
      await kubectlWith(manifests, 'apply', '--dry-run=server', '--validate=strict', '-f', '-');
    });
  }

  it('leaves the CRD, pools, and pods with their sessions when it is uninstalled', async () => {
    const pods = () => kubectl('get', 'pods', '-l', 'replpool.dev/pool=default', '-n', pools.name, '-o', 'name');
    const before = await pods();
    await release[Symbol.asyncDispose]();
    assert.match(await kubectl('get', 'rp', '-n', pools.name, '-o', 'name'), /default/);
    assert.equal(await pods(), before);
    // Roles for people went with it, the CRD did not.
    assert.match(await kubectl('get', 'crd', '-o', 'name'), /replpools\.replpool\.dev/);
  });
});
