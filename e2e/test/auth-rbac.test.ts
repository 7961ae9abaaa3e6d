import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Clock, systemClock } from '@replpool/kube';
import type { Problem, Session } from '@replpool/protocol';
import { type Router, startRouter } from '@replpool/router';
import { FakeAgent } from '../../router/test/fake-agent.ts';
import { until } from './support/api-namespace.ts';
import { ApiServerProxy } from './support/api-server-proxy.ts';
import { Namespace } from './support/namespace.ts';
import { RouterClient } from './support/router-client.ts';
import { grant, Reviewer } from './support/service-account.ts';
import { tokenOf } from './support/token.ts';

const listen = { host: '127.0.0.1', port: 0 };
const AUDIENCE = 'replpool-e2e';
/** A decision of the API server holds for less. */
const AGED_MS = 11_000;

/** The system's clock, set forward as a test says. */
class AdvancedClock implements Clock {
  #byMs = 0;

  now(): number {
    return systemClock.now() + this.#byMs;
  }

  after(ms: number, run: () => void): Disposable {
    return systemClock.after(ms, run);
  }

  advance(ms: number): void {
    this.#byMs += ms;
  }
}

/** Asks as one account does. */
class As {
  readonly client: RouterClient;
  readonly #router: Router;
  readonly #token: string;

  constructor(router: Router, token: string) {
    this.#router = router;
    this.#token = token;
    this.client = new RouterClient(`http://127.0.0.1:${router.port}`, token);
  }

  async status(method: string, path: string, body?: unknown): Promise<number> {
    const response = await this.client.fetch(path, { method, ...(body !== undefined && { body }) });
    await response.body?.cancel();
    return response.status;
  }

  async problem(method: string, path: string, body?: unknown): Promise<Problem> {
    return (await (await this.client.fetch(path, { method, ...(body !== undefined && { body }) })).json()) as Problem;
  }

  async items<T>(path: string): Promise<T[]> {
    return ((await (await this.client.fetch(path)).json()) as { items: T[] }).items;
  }

  /** Whether the session's channel opens. */
  async opens(session: string): Promise<boolean> {
    const url = `ws://127.0.0.1:${this.#router.port}/v1/sessions/${session}/channel`;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${this.#token}` } });
    const opened = await Promise.race([once(socket, 'open').then(() => true), once(socket, 'error').then(() => false)]);
    socket.close();
    return opened;
  }
}

describe('rights by RBAC, asked of a real API server', function () {
  this.timeout(120_000);
  let all: AsyncDisposableStack;
  let namespace: string;
  const clock = new AdvancedClock();
  let proxy: ApiServerProxy;
  let agent: FakeAgent;
  let other: FakeAgent;
  let router: Router;
  let owner: As;
  let session: Session;
  const path = () => `/v1/sessions/${session.id}`;

  /** An account with these verbs on the sessions of the pool `data`. */
  async function account(name: string, ...verbs: string[]): Promise<As> {
    await grant(namespace, name, { pool: 'data', verbs });
    return new As(router, await tokenOf(namespace, name, AUDIENCE));
  }

  before(async () => {
    await using begun = new AsyncDisposableStack();
    namespace = begun.use(await Namespace.create('rbac')).name;
    const reviewer = begun.use(await Reviewer.create(namespace));
    proxy = begun.use(await ApiServerProxy.start(reviewer.config));
    agent = begun.use(await new FakeAgent('data-1', `${namespace}:data`).start());
    other = begun.use(await new FakeAgent('other-1', `${namespace}:other`).start());
    const config = {
      listen,
      auth: { mode: 'kubernetes' as const, audiences: [AUDIENCE] },
      agents: [agent.endpoint, other.endpoint],
    };
    router = begun.use(await startRouter(config, { kubeConfig: proxy.configOf(reviewer.config), clock }));
    owner = await account('owner', 'create');
    await until(async () => (await owner.items<{ readyPods: number }>('/v1/pools'))[0]?.readyPods === 1);
    session = await owner.client.session();
    all = begun.move();
  });
  after(() => all?.disposeAsync());

  it('a caller is who the API server says, and needs a token that is made out to the audience', async () => {
    assert.equal(agent.sessions.get(session.id)?.link.owner, `system:serviceaccount:${namespace}:owner`);
    const elsewhere = new As(router, await tokenOf(namespace, 'owner', 'elsewhere'));
    assert.equal(await elsewhere.status('GET', path()), 401);
    assert.equal(await new As(router, 'nonsense').status('GET', path()), 401);
    assert.equal(await elsewhere.opens(session.id), false);
  });

  it('creating needs `create` on the pool', async () => {
    const reader = await account('all-but-create', 'get', 'list', 'delete', 'connect');
    for (const body of [{}, { pool: `${namespace}:data` }]) {
      assert.equal((await reader.problem('POST', '/v1/sessions', body)).code, 'FORBIDDEN');
    }
    assert.equal((await reader.problem('POST', '/v1/sessions', { pool: 'data' })).code, 'POOL_NOT_FOUND');
    assert.equal((await reader.problem('POST', '/v1/run', { code: '1' })).code, 'FORBIDDEN');
    assert.equal((await owner.problem('POST', '/v1/sessions', { pool: 'other' })).code, 'POOL_NOT_FOUND');
    assert.equal((await owner.problem('POST', '/v1/sessions', { pool: `${namespace}:other` })).code, 'FORBIDDEN');
    assert.equal((await owner.problem('POST', '/v1/sessions', { pool: `${namespace}:none` })).code, 'FORBIDDEN');
  });

  it('the owner may do all, though nothing but `create` was ever granted', async () => {
    const own = await owner.client.session();
    const of = `/v1/sessions/${own.id}`;
    assert.equal(await owner.status('GET', of), 200);
    assert.equal(await owner.status('POST', `${of}/executions`, { code: '1' }), 200);
    assert.equal(await owner.opens(own.id), true);
    assert.equal(await owner.status('DELETE', of), 204);
  });

  it('`get` reads, and no more', async () => {
    const reader = await account('reader', 'get');
    for (const rest of ['', '/executions', '/files', '/variables']) {
      assert.equal(await reader.status('GET', path() + rest), 200, rest);
    }
    assert.equal(await reader.status('POST', `${path()}/executions`, { code: '1' }), 403);
    assert.equal(await reader.status('PATCH', path(), { name: 'x' }), 403);
    assert.equal(await reader.status('DELETE', path()), 403);
    assert.equal(await reader.opens(session.id), false);
    assert.deepEqual(await reader.items('/v1/sessions'), []);
  });

  it('`connect` runs and changes, and does not read or delete', async () => {
    const runner = await account('runner', 'connect');
    assert.equal(await runner.status('POST', `${path()}/executions`, { code: '1' }), 200);
    assert.equal(await runner.status('PATCH', path(), { name: 'x' }), 200);
    assert.equal(await runner.opens(session.id), true);
    assert.equal(await runner.status('GET', path()), 403);
    assert.equal(await runner.status('DELETE', path()), 403);
    const { headers } = agent.seen.at(-1) ?? assert.fail();
    const said = decodeURIComponent(String(headers['replpool-owner']));
    assert.equal(said, `system:serviceaccount:${namespace}:owner`);
  });

  it('`list` shows others’ sessions, each caller the pools of their own, and `delete` deletes', async () => {
    const lister = await account('lister', 'list');
    const ids = async (who: As) => (await who.items<Session>('/v1/sessions')).map(({ id }) => id);
    assert.deepEqual(await ids(lister), [session.id]);
    assert.deepEqual(await ids(owner), [session.id]);
    const pools = async (who: As) => (await who.items<{ name: string }>('/v1/pools')).map(({ name }) => name);
    assert.deepEqual(await pools(lister), [`${namespace}:data`]);
    assert.deepEqual(await pools(await account('stranger')), []);
    assert.equal((await lister.problem('GET', `/v1/pools/${namespace}:other`)).code, 'FORBIDDEN');
    const deleter = await account('deleter', 'delete');
    const doomed = await owner.client.session();
    assert.equal(await deleter.status('DELETE', `/v1/sessions/${doomed.id}`), 204);
  });

  it('an agent of a pool that is not the caller’s business is neither asked nor waited for', async () => {
    const unknown = '00000000-0000-4000-8000-0000000000ff';
    other.seen.length = 0;
    assert.equal((await owner.problem('GET', `/v1/sessions/${unknown}`)).code, 'SESSION_NOT_FOUND');
    assert.deepEqual(other.seen, []);
    other.silence();
    const metrics = async () => await (await owner.client.fetch('/metrics')).text();
    await until(async () => (await metrics()).includes('pod="other-1"} 0'));
    assert.equal((await owner.problem('GET', `/v1/sessions/${unknown}`)).code, 'SESSION_NOT_FOUND');
    assert.deepEqual(
      (await owner.items<Session>('/v1/sessions')).map(({ id }) => id),
      [session.id],
    );
    other.speak();
  });

  it('a right that is given or taken away counts within seconds', async () => {
    const late = await account('late');
    assert.equal(await late.status('GET', path()), 403);
    await grant(namespace, 'late', { pool: 'data', verbs: ['get'] });
    await until(async () => (await late.status('GET', path())) === 200);
    await grant(namespace, 'late', { pool: 'data', verbs: [] });
    await until(async () => (await late.status('GET', path())) === 403);
  });

  it('without the API server those who were let in go on, and nobody else comes in', async () => {
    const reader = await account('steady-reader', 'get');
    assert.equal(await reader.status('GET', path()), 200);
    assert.equal(await owner.status('GET', path()), 200);
    const latecomer = await account('latecomer', 'create', 'get');
    proxy.refuse();
    await until(async () => (await latecomer.status('GET', path())) === 503);
    clock.advance(AGED_MS);
    assert.equal(await reader.status('GET', path()), 200);
    assert.equal(await owner.status('POST', `${path()}/executions`, { code: '1' }), 200);
    assert.equal(await owner.opens(session.id), true);
    const { code, retryable } = await latecomer.problem('GET', path());
    assert.deepEqual([code, retryable], ['AGENT_UNAVAILABLE', true]);
    assert.equal(await reader.status('POST', `${path()}/executions`, { code: '1' }), 503);
    proxy.open();
    await until(async () => (await latecomer.status('GET', path())) === 200);
    assert.equal(await reader.status('POST', `${path()}/executions`, { code: '1' }), 403);
  });
});
