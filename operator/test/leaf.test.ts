import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { dataOf, rotationOf } from '../src/certificates/authority-secret.ts';
import { issueAuthority, issueLeaf, type Subject } from '../src/certificates/issue.ts';
import { whyToIssue } from '../src/certificates/leaf.ts';
import { LIFETIMES } from '../src/certificates/lifetimes.ts';
import { type Authority, bundleOf, type Rotation } from '../src/certificates/rotation.ts';

const NOW = Date.UTC(2026, 0, 1);
const SUBJECT: Subject = { name: 'data.team.agent.replpool.internal', usage: 'serverAuth' };
const { leafMs, authorityMs } = LIFETIMES;

describe('a certificate', () => {
  let signer: Authority;
  before(async () => {
    signer = await issueAuthority(NOW, LIFETIMES);
  });

  const issued = async (subject: Subject, at = NOW) => ({
    ...(await issueLeaf(subject, signer, at, LIFETIMES)),
    ca: signer.cert,
  });
  const why = (material: Awaited<ReturnType<typeof issued>> | undefined, now = NOW) =>
    whyToIssue(material, SUBJECT, signer, now, LIFETIMES);

  it('is for one name and one use, by an authority that signs nothing but leaves', async () => {
    const { cert } = await issued(SUBJECT);
    const leaf = new X509Certificate(cert);
    const authority = new X509Certificate(signer.cert);
    assert.equal(leaf.subjectAltName, `DNS:${SUBJECT.name}`);
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.ok(!leaf.ca && authority.ca && leaf.checkIssued(authority));
    assert.equal(leaf.validToDate.getTime() - NOW, leafMs);
  });

  it('never outlives its authority', async () => {
    const { cert } = await issued(SUBJECT, NOW + authorityMs - 1000);
    assert.equal(new X509Certificate(cert).validToDate.getTime(), signer.notAfter);
  });

  it('does until two thirds of its life are over', async () => {
    const material = await issued(SUBJECT);
    assert.equal(why(material), undefined);
    assert.equal(why(material, NOW + leafMs * 0.66), undefined);
    assert.match(why(material, NOW + leafMs * 0.67) ?? '', /nearly over/);
  });

  it('is issued where there is none that will do', async () => {
    const good = await issued(SUBJECT);
    const other = await issueAuthority(NOW, LIFETIMES);
    assert.match(why(undefined) ?? '', /none/);
    for (const broken of [{ cert: '' }, { cert: 'nonsense' }, { key: '' }, { key: (await issued(SUBJECT)).key }]) {
      assert.match(why({ ...good, ...broken }) ?? '', /its key is not there/);
    }
    assert.match(why(await issued({ ...SUBJECT, name: `x${SUBJECT.name}` })) ?? '', /another name/);
    assert.match(why(await issued({ ...SUBJECT, usage: 'clientAuth' })) ?? '', /another use/);
    assert.match(whyToIssue(good, SUBJECT, other, NOW, LIFETIMES) ?? '', /another authority/);
    assert.match(why(good, NOW - 86_400_000) ?? '', /not come/);
  });
});

describe('the Secret of the authorities', () => {
  const rotating = async (): Promise<Rotation> => ({
    signer: await issueAuthority(NOW, LIFETIMES),
    next: { ...(await issueAuthority(NOW + 1000, LIFETIMES)), publishedAt: NOW + 2000 },
    retired: [{ cert: (await issueAuthority(NOW - 1000, LIFETIMES)).cert, until: NOW + 3000 }],
  });

  it('holds all of a rotation', async () => {
    const rotation = await rotating();
    assert.deepEqual(rotationOf(dataOf(rotation)), rotation);
    assert.equal(dataOf(rotation)['ca.crt'], bundleOf(rotation));
  });

  it('keeps who signs where the rest of it is broken', async () => {
    const rotation = await rotating();
    for (const broken of ['', 'nonsense', '{}', '{"retired":[{"cert":"nonsense","until":"2026-01-01T00:00:00Z"}]}']) {
      const { signer } = rotation;
      assert.deepEqual(rotationOf({ ...dataOf(rotation), 'rotation.json': broken }), { signer, retired: [] });
    }
  });

  it('is worth nothing without a key that signs', async () => {
    const data = dataOf(await rotating());
    const leaf = await issueLeaf(SUBJECT, await issueAuthority(NOW, LIFETIMES), NOW, LIFETIMES);
    for (const broken of [{ 'tls.key': leaf.key }, { 'tls.crt': '' }, { 'tls.crt': leaf.cert, 'tls.key': leaf.key }]) {
      assert.equal(rotationOf({ ...data, ...broken }), undefined);
    }
  });
});
