import assert from 'node:assert/strict';
import { create, NoAnswerError, RequestMetrics, resources } from '@replpool/kube';
import { Registry } from 'prom-client';
import { FakeApiServer, until } from '../../kube/test/fake-api-server.ts';
import { LeadershipLostError } from '../src/index.ts';
import { leaderClient } from '../src/leader/leader-client.ts';

async function start() {
  const server = await FakeApiServer.start();
  server.answer = () => ({ body: { metadata: { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '1' } } });
  const it = { leading: true };
  const metrics = new RequestMetrics(new Registry());
  const client = leaderClient(server.config, { userAgent: 'test', metrics, isLeading: () => it.leading });
  const close = async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  };
  const make = () => create(client, resources.pods, { metadata: { name: 'a', namespace: 'ns' } });
  return Object.assign(it, { server, client, make, [Symbol.asyncDispose]: close });
}

function isRefusal(made: PromiseSettledResult<unknown>): boolean {
  if (made.status === 'fulfilled') return false;
  const error: unknown = made.reason;
  return error instanceof NoAnswerError && error.cause instanceof LeadershipLostError;
}

describe('the client of a leader', () => {
  it('writes nothing once this process leads no more, and still reads', async () => {
    await using it = await start();
    await it.make();
    it.leading = false;
    // One on the connection that was kept, one on another.
    const ended = await Promise.allSettled([it.make(), it.make()]);
    assert.deepEqual(ended.map(isRefusal), [true, true]);
    await it.client.request({ path: '/api/v1/pods' });
    await it.client.request({ method: 'POST', path: '/apis/review', body: {}, repeatable: true });
    assert.deepEqual(
      it.server.requests.map((each) => each.replace(/\?.*/, '')),
      ['POST /api/v1/namespaces/ns/pods', 'GET /api/v1/pods', 'POST /apis/review'],
    );
  });

  it('has 32 connections, and does not send what waited for one while the leadership was lost', async () => {
    await using it = await start();
    const answer = Promise.withResolvers<void>();
    let came = 0;
    it.server.hold = () => {
      came += 1;
      return answer.promise;
    };
    const making = Array.from({ length: 40 }, it.make);
    await until(() => came === 32);
    it.leading = false;
    answer.resolve();
    const ended = await Promise.allSettled(making);
    assert.equal(ended.filter(isRefusal).length, 8);
    assert.equal(it.server.requests.length, 32);
  });

  it('does what there is to do at once all the same', async () => {
    await using it = await start();
    await Promise.all(Array.from({ length: 200 }, it.make));
    assert.equal(it.server.requests.length, 200);
  });
});
