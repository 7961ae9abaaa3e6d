import assert from 'node:assert/strict';
import { listSessions } from '../src/cluster/sessions/list-sessions.ts';
import { properties, table } from '../src/cluster/table.ts';
import { FakeCluster, type FakeObject } from './fakes/fake-cluster.ts';
import { DevService } from './support/dev-service.ts';
import { kubectlReplpool, replpool } from './support/replpool.ts';

const PODS = '/api/v1/pods';

function router(name: string, { namespace = 'replpool-system', release = 'replpool', ready = true } = {}): FakeObject {
  const labels = {
    'app.kubernetes.io/name': 'replpool',
    'app.kubernetes.io/component': 'router',
    'app.kubernetes.io/instance': release,
  };
  return {
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: 'router', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

/** A token that nobody signed. */
function tokenFor(aud: string | readonly string[] | undefined): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: 'me', aud })}.x`;
}

describe('a table', () => {
  it('shows what a terminal would do, and does not have it done', () => {
    const name = '\u001b]0;owned\u0007\u009b2J\u202etxt\r\nID';
    const [, row, rest] = table(['NAME', 'AGE'], [[name, '1s']]).split('\n');
    assert.equal(row, '\\u{1b}]0;owned\\u{7}\\u{9b}2J\\u{202e}txt\\u{d}\\u{a}ID   1s');
    assert.equal(rest, '');
    assert.equal(properties([['Name', name]]).split('\n').length, 2);
    assert.equal(table(['NAME'], [['Zoë 分析 👩‍🔬']]), 'NAME\nZoë 分析 👩‍🔬\n');
  });
});

describe('replpool sessions', function () {
  this.timeout(120_000);

  it('lists the sessions of a service by its address, as a table or as JSON', async () => {
    await using dev = await DevService.start();
    const url = await dev.url();
    const { body } = await dev.post('/v1/sessions', { name: 'mine' });
    const { code, stdout } = await replpool(['sessions', '--url', url, '-o', 'wide']);
    assert.equal(code, 0);
    const [header, row] = stdout.split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(header?.slice(0, 4), ['ID', 'POOL', 'STATE', 'POD']);
    assert.equal(row?.[0], body.id);
    assert.ok(row?.includes('mine'));
    const json = await kubectlReplpool(['sessions', '-o', 'json'], { REPLPOOL_URL: url, KUBECONFIG: '/missing' });
    assert.match(json.stderr, /there is no kubeconfig/, 'the plugin is about the cluster');
    const { items } = JSON.parse((await replpool(['sessions', '-o', 'json'], '', { REPLPOOL_URL: url })).stdout) as {
      items: object[];
    };
    assert.equal(items.length, 1);
  });
});

describe('kubectl replpool sessions', () => {
  const run = (cluster: FakeCluster, ...args: string[]) =>
    kubectlReplpool(['sessions', ...args], { KUBECONFIG: cluster.kubeconfig });

  it('sends no token to a router in a namespace that nobody named, and says where one is', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(PODS, router('trap', { namespace: 'somebody' }));
    const { code, stderr } = await run(cluster);
    assert.equal(code, 2);
    assert.match(stderr, /there is no router in namespace replpool-system\n.* are in: somebody; /);
    assert.deepEqual(
      cluster.requests.filter(({ path }) => path.includes('portforward')),
      [],
    );
  });

  it('asks which one, where a namespace has several releases', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(PODS, router('a', { release: 'blue' }), router('b', { release: 'green' }));
    const { code, stderr } = await run(cluster);
    assert.equal(code, 2);
    assert.match(stderr, /has several releases: blue, green\n.*--release/);
    assert.match((await run(cluster, '--release', 'red')).stderr, /no release 'red'\n.*it has: blue, green/);
  });

  it('says so where no router is ready', async () => {
    await using cluster = await FakeCluster.start();
    cluster.put(PODS, router('a', { ready: false }));
    const { code, stderr } = await run(cluster);
    assert.equal(code, 3);
    assert.match(stderr, /none of the 1 routers in namespace replpool-system is ready/);
  });

  it('tells a user without a token how to get one', async () => {
    await using cluster = await FakeCluster.start({});
    cluster.put(PODS, router('a'));
    const { code, stderr } = await run(cluster);
    assert.equal(code, 2);
    assert.match(stderr, /has no token that a router could check[\s\S]*kubectl create token/);
  });

  it('sends a router no token that is not made out to it, as the kubeconfig’s own may be the API server’s', async () => {
    for (const token of ['opaque', tokenFor('https://kubernetes.default.svc'), tokenFor(undefined)]) {
      await using cluster = await FakeCluster.start({ token });
      cluster.put(PODS, router('a'));
      const { code, stderr } = await run(cluster);
      assert.equal(code, 2);
      assert.match(stderr, /is not made out to 'replpool', and no router is sent it\n.*kubectl create token/);
      assert.ok(cluster.requests.every(({ path }) => !path.includes('portforward')));
    }
  });

  it('takes the kubeconfig’s token where it has the audience of the release', async () => {
    await using cluster = await FakeCluster.start({ token: tokenFor(['cluster', 'company']) });
    cluster.put(PODS, router('a'));
    cluster.forbidden = (path) => path.endsWith('/portforward');
    assert.match((await run(cluster)).stderr, /is not made out to 'replpool'/);
    assert.match((await run(cluster, '--audience', 'company')).stderr, /you may not create pods\/portforward/);
  });

  it('names the right that a port-forward needs', async () => {
    await using cluster = await FakeCluster.start({ token: tokenFor('replpool') });
    cluster.put(PODS, router('a'));
    cluster.forbidden = (path) => path.endsWith('/portforward');
    const { code, stderr } = await run(cluster);
    assert.equal(code, 2);
    assert.match(stderr, /you may not create pods\/portforward a in namespace replpool-system/);
  });
});

describe('the list of sessions', () => {
  const answers = (...all: { status: number; body: object }[]) => {
    const asked: string[] = [];
    const get = async (path: string) => {
      asked.push(path);
      const { status, body } = all.shift() ?? assert.fail('asked once too often');
      return { status, body: JSON.stringify(body) };
    };
    return { asked, get };
  };

  it('is read page by page', async () => {
    const { asked, get } = answers(
      { status: 200, body: { items: [], continue: 'next' } },
      { status: 200, body: { items: [] } },
    );
    await listSessions(get, 'team:data');
    assert.deepEqual(asked, [
      'v1/sessions?limit=1000&pool=team%3Adata',
      'v1/sessions?limit=1000&pool=team%3Adata&continue=next',
    ]);
  });

  it('waits for an agent that is silent for a moment, and for nothing else', async () => {
    const silent = answers({ status: 503, body: {} }, { status: 200, body: { items: [] } });
    assert.deepEqual(await listSessions(silent.get, undefined), []);
    await assert.rejects(listSessions(answers({ status: 404, body: {} }).get, 'x'), { exitCode: 2 });
    await assert.rejects(listSessions(answers({ status: 200, body: { no: 1 } }).get, 'x'), { exitCode: 3 });
  });
});
