// @peculiar/x509 needs it, and before all else.
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Lifetimes, Validity } from './lifetimes.ts';
import type { Authority, KeyPair } from './rotation.ts';

/** Whom a certificate is made out to, and what for. */
export interface Subject {
  /** Its DNS name. */
  readonly name: string;
  readonly usage: 'serverAuth' | 'clientAuth';
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { subtle } = webcrypto;

/** A new authority that nobody knows yet. Two of them have different names, so that a chain is never built with the wrong one. */
export async function issueAuthority(now: number, { backdateMs, authorityMs }: Lifetimes): Promise<Authority> {
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const validity = { notBefore: wholeSecond(now - backdateMs), notAfter: wholeSecond(now + authorityMs) };
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `O=replpool, CN=authority ${crypto.randomUUID()}`,
    ...datesOf(validity),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      // It signs leaves and no authority.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { ...(await pemOf(certificate, keys.privateKey)), ...validity };
}

/** A new key and its certificate, which lives no longer than its authority. */
export async function issueLeaf(
  { name, usage }: Subject,
  authority: Authority,
  now: number,
  { backdateMs, leafMs }: Lifetimes,
): Promise<KeyPair> {
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const issuer = new X509Certificate(authority.cert);
  const certificate = await X509CertificateGenerator.create({
    subject: `O=replpool, CN=${usage === 'serverAuth' ? 'agent' : 'client'}`,
    issuer: issuer.subjectName,
    ...datesOf({
      notBefore: Math.max(authority.notBefore, wholeSecond(now - backdateMs)),
      notAfter: Math.min(authority.notAfter, wholeSecond(now + leafMs)),
    }),
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(authority),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage[usage]]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return await pemOf(certificate, keys.privateKey);
}

async function pemOf(certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<KeyPair> {
  const pkcs8 = await subtle.exportKey('pkcs8', key);
  return { cert: `${certificate.toString('pem')}\n`, key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` };
}

function signingKeyOf({ key }: KeyPair): Promise<webcrypto.CryptoKey> {
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  return subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']);
}

function datesOf({ notBefore, notAfter }: Validity) {
  return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
