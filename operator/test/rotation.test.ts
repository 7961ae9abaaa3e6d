import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LIFETIMES } from '../src/certificates/lifetimes.ts';
import { type Authority, announced, bundleOf, nextStep, type Rotation } from '../src/certificates/rotation.ts';

const DAY_MS = 86_400_000;

function authority(cert: string, now: number): Authority {
  return { cert, key: `key of ${cert}`, notBefore: now, notAfter: now + LIFETIMES.authorityMs };
}

/** Takes all steps that are due, as the operator does at one look. @param has whether every Secret has a bundle */
function look(rotation: Rotation, now: number, has: (bundle: string) => boolean, name = `at ${now}`): Rotation {
  let it = rotation;
  for (;;) {
    const step = nextStep(it, { now, isEverywhere: has(bundleOf(it)) }, LIFETIMES);
    if (step === undefined) return it;
    it = step.kind === 'become' ? step.rotation : announced(it, authority(name, now));
  }
}

const all = () => true;
const notAll = () => false;

const trusts = (rotation: Rotation, { cert }: { cert: string }): boolean =>
  bundleOf(rotation).split('\n').includes(cert);

describe('the rotation of an authority', () => {
  const { authorityMs, leafMs, settleMs } = LIFETIMES;
  const first: Rotation = { signer: authority('first', 0), retired: [] };
  const due = (authorityMs * 2) / 3;

  it('begins at two thirds of its life, and not before', () => {
    assert.deepEqual(look(first, due - 1, all), first);
    const begun = look(first, due, notAll);
    assert.equal(begun.signer.cert, 'first');
    assert.ok(begun.next && trusts(begun, begun.next), 'the successor is trusted');
  });

  it('lets the successor sign when every bundle has had it for the time that it takes to be read', () => {
    const begun = look(first, due, notAll);
    assert.deepEqual(look(begun, due + 30 * DAY_MS, notAll), begun, 'somebody has not heard of it yet');
    const published = look(begun, due + DAY_MS, all);
    assert.equal(look(published, due + DAY_MS + settleMs - 1, all).signer.cert, 'first');
    const promoted = look(published, due + DAY_MS + settleMs, all);
    assert.equal(promoted.signer.cert, begun.next?.cert);
    assert.equal(promoted.next, undefined);
  });

  it('trusts the one before until the last that it signed has expired', () => {
    const published = look(look(first, due, all), due, all);
    const promoted = look(published, due + settleMs, all);
    assert.ok(trusts(promoted, first.signer));
    assert.ok(trusts(look(promoted, due + settleMs + leafMs - 1, all), first.signer));
    assert.ok(!trusts(look(promoted, due + settleMs + leafMs, all), first.signer));
  });

  it('does not wait for ever for somebody who cannot be told', () => {
    const begun = look(first, due, notAll);
    assert.equal(look(begun, authorityMs - leafMs, notAll).signer.cert, begun.next?.cert);
  });

  it('goes on after an operator that was away for longer than an authority lives', () => {
    const now = authorityMs * 3;
    const { signer } = look(first, now, notAll);
    assert.equal(signer.notBefore, now);
  });

  /** One look of an operator: so long after the one before, with this part of all Secrets written. */
  const everybody = fc.constant([0, 1, 2, 3]);
  const looks = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.nat({ max: 300 * DAY_MS }), fc.nat({ max: 2 * settleMs })),
      told: fc.oneof(everybody, fc.uniqueArray(fc.nat({ max: 3 }))),
    }),
    { minLength: 20, maxLength: 80 },
  );

  it('never has a certificate in use that somebody refuses, whenever operators look and whomever they reach', () => {
    fc.assert(
      fc.property(looks, (times) => {
        let now = 0;
        let rotation = first;
        /** What four processes trust and show: what they were told at some look. */
        const peers = Array.from({ length: 4 }, () => ({ rotation, shows: first.signer, expires: leafMs }));
        for (const [i, { afterMs, told }] of times.entries()) {
          now += afterMs;
          const has = (bundle: string) => peers.every((peer) => bundleOf(peer.rotation) === bundle);
          const isLate = now >= rotation.signer.notAfter - leafMs;
          rotation = look(rotation, now, has, `authority ${i}`);
          for (const peer of told) {
            peers[peer] = { rotation, shows: rotation.signer, expires: now + leafMs };
          }
          // Who could not be told for years is refused rather than everybody else kept waiting.
          if (isLate) return;
          for (const { shows, expires } of peers) {
            if (expires <= now) continue;
            assert.ok(trusts(rotation, shows), 'whoever is told now refuses a certificate that is in use');
            for (const other of peers) assert.ok(trusts(other.rotation, shows), 'two in use refuse each other');
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
