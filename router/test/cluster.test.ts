import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { FakeApiServer } from '../../kube/test/fake-api-server.ts';
import { Cluster } from '../src/cluster.ts';

describe('the API server, as a router asks it', () => {
  it('is counted in the metrics as client-go counts it', async () => {
    await using server = await FakeApiServer.start();
    server.answer = () => ({ status: 201, body: {} });
    const registry = new Registry();
    using cluster = new Cluster(server.config, registry);
    await cluster.client.request({ method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body: {} });
    assert.match(await registry.metrics(), /^rest_client_requests_total\{method="POST",code="201"\} 1$/m);
  });
});
