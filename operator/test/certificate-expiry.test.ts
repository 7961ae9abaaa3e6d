import assert from 'node:assert/strict';
import { ROUTER_TLS_NAME } from '@replpool/protocol';
import { expiryOf, observeExpiry } from '@replpool/service';
import { Registry } from 'prom-client';
import { issueAuthority, issueLeaf, LIFETIMES } from '../src/index.ts';

describe('the expiry of a certificate', () => {
  const issuedAt = async (now: number): Promise<string> => {
    const authority = await issueAuthority(now, LIFETIMES);
    return (await issueLeaf({ name: ROUTER_TLS_NAME, usage: 'clientAuth' }, authority, now, LIFETIMES)).cert;
  };

  it('is a metric by the name that it is made out to, of the certificate of the moment', async () => {
    const now = Date.UTC(2026, 0, 1);
    let cert = await issuedAt(now);
    const registry = new Registry();
    const seconds = async (): Promise<number> => {
      const [, found] =
        (await registry.metrics()).match(/_timestamp_seconds\{name="router\.replpool\.internal"\} (\S+)/) ?? [];
      return Number(found);
    };
    using _observed = observeExpiry(registry, () => [expiryOf(cert)]);
    assert.equal(await seconds(), (now + LIFETIMES.leafMs) / 1000);
    cert = await issuedAt(now + 86_400_000);
    assert.equal(await seconds(), (now + LIFETIMES.leafMs) / 1000 + 86_400);
  });

  it('is told anew where the metric was given up, as by an operator that leads once more', async () => {
    const registry = new Registry();
    observeExpiry(registry, () => [{ name: 'a', expiresAt: 1_000 }])[Symbol.dispose]();
    assert.equal((await registry.metrics()).trim(), '');
    using _observed = observeExpiry(registry, () => [{ name: 'b', expiresAt: 2_000 }]);
    assert.match(await registry.metrics(), /\{name="b"\} 2$/m);
  });
});
