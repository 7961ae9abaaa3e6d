import assert from 'node:assert/strict';
import { replPoolSpecSchema } from '@replpool/protocol';
import { agentEndpoint } from '../src/pool/agent-endpoint.ts';
import { toPodObject } from '../src/pool/pod-object.ts';

const pool = { name: 'data', namespace: 'team', uid: 'pool', spec: replPoolSpecSchema.parse({}) };
const metadata = { name: 'data-1', namespace: 'team', uid: 'u-1', resourceVersion: '1' };
const endpoint = (status: object) => agentEndpoint(pool, toPodObject({ metadata, status }));

describe('the agent of a pod', () => {
  it("is at the pod's address, of either family", () => {
    const found = { pod: 'data-1', pool: 'team:data', url: 'https://10.0.0.7:8080' };
    assert.deepEqual(endpoint({ phase: 'Running', podIP: '10.0.0.7' }), found);
    assert.equal(endpoint({ phase: 'Running', podIP: 'fd00::7' })?.url, 'https://[fd00::7]:8080');
  });

  it('is nowhere before the pod runs, and after', () => {
    assert.equal(endpoint({ phase: 'Pending' }), undefined);
    assert.equal(endpoint({ phase: 'Failed', podIP: '10.0.0.7' }), undefined);
  });
});
