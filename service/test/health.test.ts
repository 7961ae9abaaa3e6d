import assert from 'node:assert/strict';
import { ReplPoolError } from '@replpool/protocol';
import { type HealthServer, serveHealth } from '../src/index.ts';

describe('the port for health and metrics', () => {
  let isReady = false;
  let server: HealthServer;
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });

  before(async () => {
    server = await serveHealth(
      { host: '127.0.0.1', port: 0 },
      {
        notReady: () => (isReady ? undefined : new ReplPoolError('WARMING', 'nothing is warm')),
        metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'replpool_sessions 3\n' }),
      },
    );
  });
  after(() => server[Symbol.asyncDispose]());

  it('says that the process lives, before it is ready too', async () => {
    assert.equal((await get('/healthz')).status, 200);
  });

  it('is ready once the server is, and until then says why not', async () => {
    const before = await get('/readyz');
    assert.deepEqual([before.status, ((await before.json()) as { code: string }).code], [503, 'WARMING']);
    isReady = true;
    assert.equal((await get('/readyz')).status, 200);
  });

  it('has the metrics', async () => {
    const response = await get('/metrics');
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4');
    assert.equal(await response.text(), 'replpool_sessions 3\n');
  });

  it('has nothing else, and nothing to be changed', async () => {
    assert.equal((await get('/v1/sessions')).status, 404);
    assert.equal((await get('/metrics', 'POST')).status, 405);
    assert.equal((await get('/healthz', 'HEAD')).status, 200);
  });
});
