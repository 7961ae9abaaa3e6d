import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { withChart } from '../support/chart-release.ts';
import { helm } from '../support/helm.ts';
import { image } from '../support/images.ts';
import { kubectl, kubectlWith } from '../support/kubectl.ts';
import { Refusal, RouterClient } from '../support/router-client.ts';
import { runInPod } from '../support/run-in-pod.ts';
import { tokenOf } from '../support/token.ts';

const root = join(import.meta.dirname, '../../..');

describe('the chart', function () {
  this.timeout(300_000);
  const installed = withChart('chart', { uninstalls: true });

  const clientOf = async (account: string) => {
    const { release, pools } = installed();
    return new RouterClient(await release.url(), await tokenOf(pools.name, account));
  };

  it('serves code to who has the right, through the Service', async () => {
    const client = await clientOf('analyst');
    const { id, pool } = await client.session();
    assert.equal(pool, `${installed().pools.name}:default`);
    await client.run(id, 'x = 41');
    assert.equal((await client.run(id, 'x + 1')).result?.data['text/plain'], '42');
    await client.end(id);
  });

  it('refuses who has no token, and who has no right', async () => {
    const url = await installed().release.url();
    assert.equal((await fetch(`${url}/v1/pools`)).status, 401);
    await assert.rejects((await clientOf('stranger')).session(), (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.problem.code, 'FORBIDDEN');
      return true;
    });
  });

  it("serves code to a pod with its own ServiceAccount's token", async () => {
    const { release, pools } = installed();
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
    const { release, namespace } = installed();
    await helm('test', release.name, '--namespace', namespace.name, '--timeout', '120s');
  });

  it('has every right that it needs: nothing that operator and router asked for was forbidden', async () => {
    const { namespace } = installed();
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
    const { pools } = installed();
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
      const { namespace, pools } = installed();
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
    const { release, pools } = installed();
    const pods = () => kubectl('get', 'pods', '-l', 'replpool.dev/pool=default', '-n', pools.name, '-o', 'name');
    const before = await pods();
    await release[Symbol.asyncDispose]();
    assert.match(await kubectl('get', 'rp', '-n', pools.name, '-o', 'name'), /default/);
    assert.equal(await pods(), before);
    // Roles for people went with it, the CRD did not.
    assert.match(await kubectl('get', 'crd', '-o', 'name'), /replpools\.replpool\.dev/);
  });
});
