import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import {
  ApiClient,
  ApiError,
  apply,
  classify,
  type Failure,
  NoAnswerError,
  pathOf,
  RequestMetrics,
  remove,
  resources,
  toKubeObject,
} from '../src/index.ts';
import { FakeApiServer, pod, until } from './fake-api-server.ts';
import { ManualClock } from './manual-clock.ts';

describe('an answer of the API server', () => {
  it('is classified by what a reconcile can do about it', () => {
    const cases: [number, unknown, Failure][] = [
      [404, { reason: 'NotFound' }, 'NotFound'],
      [409, { reason: 'AlreadyExists' }, 'AlreadyExists'],
      [409, { reason: 'Conflict' }, 'Conflict'],
      [410, { reason: 'Expired' }, 'Gone'],
      [403, { reason: 'Forbidden', message: 'pods "a" is forbidden: exceeded quota: q, requested: pods=1' }, 'Quota'],
      [403, { reason: 'Forbidden', message: 'pods is forbidden: violates PodSecurity "restricted"' }, 'Forbidden'],
      [403, { reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } }, 'NamespaceTerminating'],
      [422, { reason: 'Invalid', details: { causes: [{ field: 'spec.replicas' }] } }, 'Invalid'],
      [422, { reason: 'Invalid', details: { causes: [{ field: 'metadata.uid' }] } }, 'Conflict'],
      [401, '<html>', 'Unauthorized'],
      [429, {}, 'TooManyRequests'],
      [503, null, 'Unavailable'],
      [418, [], 'Unknown'],
    ];
    for (const [status, body, failure] of cases) assert.equal(classify(new ApiError(status, body, 'GET /')), failure);
    assert.equal(classify(new NoAnswerError('reset')), 'Unavailable');
    assert.equal(classify(new Error('ours')), 'Unknown');
  });

  it('says how long to stay away', () => {
    assert.equal(new ApiError(429, {}, 'GET /', '3').retryAfterMs, 3_000);
    assert.equal(new ApiError(500, { details: { retryAfterSeconds: 2 } }, 'GET /').retryAfterMs, 2_000);
    assert.equal(new ApiError(500, {}, 'GET /').retryAfterMs, undefined);
  });

  it('that has no name, uid or version is no object', () => {
    for (const it of [null, 'x', [], {}, { metadata: { name: 'a' } }]) assert.throws(() => toKubeObject(it), TypeError);
  });
});

describe('a path', () => {
  it('follows group, namespace, name and subresource', () => {
    assert.equal(pathOf(resources.pods), '/api/v1/pods');
    const place = { namespace: 'ns', name: 'data', subresource: 'status' };
    assert.equal(pathOf(resources.replPools, place), '/apis/replpool.dev/v1alpha1/namespaces/ns/replpools/data/status');
  });
});

describe('the client', () => {
  it('counts its requests by status, as client-go does', async () => {
    await using server = await FakeApiServer.start();
    const registry = new Registry();
    using client = new ApiClient(server.config, { metrics: new RequestMetrics(registry) });
    server.answer = (url) => (url.pathname === '/x' ? { status: 404, body: {} } : { body: pod('a', '1') });
    await apply(client, resources.pods, pod('a', '1'));
    await assert.rejects(client.request({ path: '/x' }));
    const text = await registry.metrics();
    assert.match(text, /^rest_client_requests_total\{method="PATCH",code="200"\} 1$/m);
    assert.match(text, /^rest_client_requests_total\{method="GET",code="404"\} 1$/m);
  });

  it('times a call from its connection on, not while it waits for one', async () => {
    await using server = await FakeApiServer.start();
    const held = new Map<string, () => void>();
    server.hold = (url) => new Promise((resolve) => held.set(url.pathname, resolve));
    server.answer = () => ({ body: pod('a', '1') });
    const clock = new ManualClock();
    using client = new ApiClient(server.config, { maxSockets: 1, clock });
    const first = client.request({ path: '/first', timeoutMs: 600_000 });
    await until(() => held.has('/first'));
    const second = client.request({ path: '/second', timeoutMs: 3_000 });
    clock.advance(60_000);
    held.get('/first')?.();
    await first;
    await until(() => held.has('/second'));
    held.get('/second')?.();
    await second;
    const third = client.request({ path: '/third', timeoutMs: 3_000 });
    await until(() => held.has('/third'));
    clock.advance(3_000);
    await assert.rejects(third, { name: 'NoAnswerError' });
    assert.equal(clock.timers, 0);
  });

  it('keeps its connection from call to call', async () => {
    await using server = await FakeApiServer.start();
    server.answer = () => ({ body: pod('a', '1') });
    for (let count = 0; count < 5; count++) await apply(server.client, resources.pods, pod('a', '1'));
    assert.equal(server.connections, 1);
    assert.equal(server.requests[0], 'PATCH /api/v1/namespaces/ns/pods/a?fieldManager=replpool-operator&force=true');
  });

  it('tells an answer that never came from a refusal', async () => {
    await using server = await FakeApiServer.start();
    server.answer = (_, request) => {
      request.socket.destroy();
      return { body: {} };
    };
    await assert.rejects(server.client.request({ path: '/x' }), { name: 'NoAnswerError' });
    server.answer = () => ({ status: 404, body: { reason: 'NotFound', message: 'no x' } });
    await assert.rejects(server.client.request({ path: '/x' }), { name: 'ApiError', message: 'GET /x: 404 no x' });
    assert.equal(await remove(server.client, resources.pods, pod('a', '1')), false);
  });
});
