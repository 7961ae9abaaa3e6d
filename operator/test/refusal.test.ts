import assert from 'node:assert/strict';
import { type ReplPoolSpecInput, replPoolSpecSchema } from '@replpool/protocol';
import { operatorConfigSchema } from '../src/config.ts';
import { refusalOf } from '../src/specs/refusal.ts';

const release = { namespace: 'system', release: 'replpool' };
const refusal = (spec: ReplPoolSpecInput, namespace = 'team', allowPrivileged?: boolean) =>
  refusalOf(
    { name: 'data', namespace, uid: 'u-1', spec: replPoolSpecSchema.parse(spec) },
    { agentImage: 'agent:1', release, ...(allowPrivileged !== undefined && { allowPrivileged }) },
  );

describe('a release', () => {
  const privileged = { isolation: { cgroups: 'Privileged' } } as const;

  it('gives no pool the node unless it is told that it may', () => {
    assert.equal(refusal(privileged)?.kind, 'isolation');
    assert.equal(refusal(privileged, 'team', true), undefined);
    assert.equal(refusal({ isolation: { cgroups: 'Delegate' } }), undefined);
  });

  it("gives the node to no image of the pool's own", () => {
    assert.equal(refusal({ ...privileged, runtime: { image: 'own:2' } }, 'team', true)?.kind, 'isolation');
  });

  it('gives its own Secrets to no session, whatever way they are named', () => {
    const named: ReplPoolSpecInput[] = ['replpool-ca', 'replpool-router-tls'].flatMap((name) => {
      const env = [{ name: 'KEY', valueFrom: { secretKeyRef: { name, key: 'tls.key' } } }];
      return [
        { runtime: { envFrom: [{ secretRef: { name } }] } },
        { runtime: { env } },
        { templates: [{ name: 't', env }] },
      ];
    });
    for (const spec of named) {
      assert.equal(refusal(spec, 'system')?.kind, 'secret');
      // Elsewhere it is another Secret.
      assert.equal(refusal(spec, 'team'), undefined);
    }
    assert.equal(refusal({ runtime: { envFrom: [{ secretRef: { name: 'db' } }] } }, 'system'), undefined);
  });

  it('does not start with a default that no agent could start with, or that its pools are not allowed', () => {
    const health = { host: '0.0.0.0', port: 9090 };
    const config = (more: object) =>
      operatorConfigSchema.safeParse({ ...release, agentImage: 'agent:1', health, ...more });
    assert.ok(config({}).success);
    assert.ok(!config({ cgroups: 'Runtime' }).success);
    assert.ok(!config({ cgroups: 'Privileged' }).success);
    assert.ok(config({ cgroups: 'Privileged', allowPrivileged: true }).success);
  });
});
