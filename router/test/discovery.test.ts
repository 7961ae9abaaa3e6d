import assert from 'node:assert/strict';
import { systemClock, WatchMetrics } from '@replpool/kube';
import { type AgentEndpoint, routerConfigSchema } from '@replpool/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { FakeApiServer, listOf, until } from '../../kube/test/fake-api-server.ts';
import { toAgentPod } from '../src/discovery/agent-pod.ts';
import { Discovery } from '../src/discovery/discovery.ts';

interface PodFacts {
  readonly phase?: string;
  readonly podIP?: string | undefined;
  readonly state?: object;
  readonly deleted?: boolean;
  readonly pool?: string;
}

/** A pod of an agent as the API server has it, running but for what is said. */
function agentPod(name: string, version: string, facts: PodFacts = {}) {
  const running = { phase: 'Running', podIP: '10.0.0.1', state: { running: { startedAt: 'x' } }, pool: 'data' };
  const { phase, podIP, state, deleted, pool } = { ...running, ...facts };
  return {
    metadata: {
      ...{ name, namespace: 'team', uid: `uid-${name}`, resourceVersion: version },
      labels: { 'replpool.dev/pool': pool, 'replpool.dev/revision': '0123456789' },
      creationTimestamp: '2026-01-02T03:04:05Z',
      ...(deleted && { deletionTimestamp: '2026-01-02T04:04:05Z' }),
    },
    // A field that is undefined is not there in JSON.
    status: { phase, podIP, containerStatuses: [{ name: 'agent', state }] },
  };
}

const endpointOf = (facts: PodFacts) => toAgentPod(agentPod('data-x', '1', facts)).endpoint;

describe('the pod of an agent', () => {
  it('is an agent of its pool at its address', () => {
    assert.deepEqual(endpointOf({}), {
      ...{ pod: 'data-x', pool: 'team:data', url: 'https://10.0.0.1:8080' },
      ...{ revision: '0123456789', createdAt: '2026-01-02T03:04:05Z' },
    });
    assert.equal(endpointOf({ podIP: 'fd00::1' })?.url, 'https://[fd00::1]:8080');
  });
  it('is none without an address, nor before its container runs', () => {
    assert.equal(endpointOf({ phase: 'Pending', podIP: undefined }), undefined);
    assert.equal(endpointOf({ phase: 'Pending', state: { waiting: { reason: 'PodInitializing' } } }), undefined);
    assert.equal(endpointOf({ state: { waiting: { reason: 'CrashLoopBackOff' } } }), undefined);
  });
  it('stays one while it terminates, until its container has ended', () => {
    assert.ok(endpointOf({ deleted: true }));
    assert.equal(endpointOf({ deleted: true, state: { terminated: { exitCode: 0 } } }), undefined);
    assert.equal(endpointOf({ phase: 'Failed' }), undefined);
    assert.equal(endpointOf({ phase: 'Succeeded' }), undefined);
  });
  it('is none where its label is no name of a pool', () => {
    assert.throws(() => toAgentPod(agentPod('x', '1', { pool: 'a:b' })));
  });
});

/** A discovery at an API server; what it found last is in `pods`. */
class Found implements AsyncDisposable {
  readonly server: FakeApiServer;
  readonly #discovery: Discovery;
  readonly told: AgentEndpoint[][] = [];

  constructor(server: FakeApiServer, watchNamespace?: string) {
    this.server = server;
    this.#discovery = new Discovery({
      client: server.client,
      config: { watchNamespace },
      metrics: new WatchMetrics(new Registry(), systemClock),
      log: pino({ level: 'silent' }),
      found: (agents) => this.told.push(agents),
    });
  }

  get pods(): string {
    return (
      this.told
        .at(-1)
        ?.map(({ pod }) => pod)
        .join(' ') ?? 'nothing told'
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#discovery[Symbol.asyncDispose]();
  }
}

describe('the discovery of agents', () => {
  it('tells of all of them in one order, then of each that comes and goes', async () => {
    await using server = await FakeApiServer.start();
    server.lists(
      '10',
      agentPod('b-1', '2', { pool: 'b' }),
      agentPod('a-2', '3', { pool: 'a' }),
      agentPod('a-1', '4', { pool: 'a' }),
    );
    await using it = new Found(server);
    await until(() => it.pods === 'a-1 a-2 b-1');
    await until(() => server.watches.length > 0);
    const [watch] = server.watches;
    watch?.send({ type: 'ADDED', object: agentPod('a-3', '11', { pool: 'a' }) });
    await until(() => it.pods === 'a-1 a-2 a-3 b-1');
    watch?.send({ type: 'MODIFIED', object: agentPod('a-1', '12', { pool: 'a', deleted: true }) });
    watch?.send({ type: 'MODIFIED', object: agentPod('a-2', '13', { pool: 'a', phase: 'Failed' }) });
    await until(() => it.pods === 'a-1 a-3 b-1');
    watch?.send({ type: 'DELETED', object: agentPod('a-1', '14', { pool: 'a', deleted: true }) });
    await until(() => it.pods === 'a-3 b-1');
  });

  it('tells that there are none, once it knows', async () => {
    await using server = await FakeApiServer.start();
    server.answer = (url) => (url.searchParams.has('watch') ? undefined : { status: 503, body: {} });
    await using it = new Found(server);
    await until(() => server.requests.length > 1);
    assert.equal(it.pods, 'nothing told');
    server.answer = (url) => (url.searchParams.has('watch') ? undefined : listOf('1', []));
    await until(() => it.pods === '');
  });

  it('keeps what it knows while the API server is gone', async () => {
    await using server = await FakeApiServer.start();
    server.lists('10', agentPod('a-1', '2'));
    await using it = new Found(server);
    await until(() => server.watches.length > 0 && it.pods === 'a-1');
    server.answer = () => ({ status: 500, body: {} });
    for (const watch of server.watches) watch.reset();
    const asked = server.requests.length;
    await until(() => server.requests.length > asked + 1);
    assert.deepEqual([it.pods, it.told.length], ['a-1', 1]);
  });

  it('looks for the pods of agents alone, in one namespace where it is told so', async () => {
    await using server = await FakeApiServer.start();
    server.lists('1');
    await using _it = new Found(server, 'team');
    await until(() => server.watches.length > 0);
    assert.match(server.requests[0] ?? '', /^GET \/api\/v1\/namespaces\/team\/pods\?/);
    const selector = server.watches[0]?.query.get('labelSelector');
    assert.equal(selector, 'replpool.dev/pool,app.kubernetes.io/component=agent');
  });
});

describe('the configuration of a router', () => {
  const listen = { host: '0.0.0.0', port: 8080 };
  const auth = { mode: 'kubernetes', audiences: ['replpool'] };
  const agentTls = { certFile: 'a', keyFile: 'b', caFile: 'c' };
  const valid = (config: object) => routerConfigSchema.safeParse({ listen, auth, ...config }).success;

  it('has agents, or finds them, and then needs to show them who it is', () => {
    assert.ok(valid({ discovery: {}, agentTls }));
    assert.ok(valid({ agents: [] }));
    assert.ok(!valid({}));
    assert.ok(!valid({ agents: [], discovery: {}, agentTls }));
    assert.ok(!valid({ discovery: {} }));
  });
});
