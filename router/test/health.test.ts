import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { RouterConfig } from '@replpool/protocol';
import { startRouter } from '../src/index.ts';
import { FakeAgent } from './fake-agent.ts';

describe('a router with a port for health', () => {
  const free = { host: '127.0.0.1', port: 0 };
  const auth: RouterConfig['auth'] = { mode: 'apiKeys', keys: [] };

  it('is ready there once it has heard from an agent', async () => {
    await using agent = await new FakeAgent('data-1').start();
    await using router = await startRouter({ listen: free, health: free, auth, agents: [] });
    const url = `http://127.0.0.1:${router.healthPort}`;
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 503);
    router.setAgents([agent.endpoint]);
    while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('gives metrics there to anybody, and to clients none', async () => {
    const ann = { name: 'ann', sha256: hash('sha256', 'ann-key') };
    const keys: RouterConfig['auth'] = { mode: 'apiKeys', keys: [ann] };
    await using router = await startRouter({ listen: free, health: free, auth: keys, agents: [] });
    const metrics = await (await fetch(`http://127.0.0.1:${router.healthPort}/metrics`)).text();
    assert.match(metrics, /replpool_router_requests_total/);
    assert.equal((await fetch(`http://127.0.0.1:${router.port}/metrics`)).status, 401);
    const headers = { authorization: 'Bearer ann-key' };
    assert.equal((await fetch(`http://127.0.0.1:${router.port}/metrics`, { headers })).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${router.port}/healthz`)).status, 200);
  });
});
