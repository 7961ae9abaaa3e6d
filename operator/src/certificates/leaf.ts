import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { TlsMaterial } from '@replpool/service';
import type { Subject } from './issue.ts';
import { type Lifetimes, renewalOf, type Validity } from './lifetimes.ts';
import type { KeyPair } from './rotation.ts';

/** RFC 5280 section 4.2.1.12. */
const USAGES = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

/** Why a certificate has to be issued, in words for a log; undefined where the one that is there will do. */
export function whyToIssue(
  material: TlsMaterial | undefined,
  { name, usage }: Subject,
  signer: KeyPair,
  now: number,
  lifetimes: Lifetimes,
): string | undefined {
  if (material === undefined) return 'there is none';
  const certificate = certificateOf(material);
  if (certificate === undefined) return 'it is none, or its key is not there';
  if (certificate.subjectAltName !== `DNS:${name}`) return 'it is made out to another name';
  if (certificate.keyUsage.join() !== USAGES[usage]) return 'it is for another use';
  if (!certificate.verify(new X509Certificate(signer.cert).publicKey)) return 'another authority signed it';
  const validity = validityOf(certificate);
  if (now < validity.notBefore) return 'its time has not come';
  if (now >= renewalOf(validity, lifetimes)) return 'its time is nearly over';
  return undefined;
}

/** Undefined where it does not parse, or the key is another's. */
export function certificateOf({ cert, key }: KeyPair): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(cert);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? certificate : undefined;
  } catch {
    // What does not parse is as good as absent, and is made anew.
    return undefined;
  }
}

export function validityOf({ validFromDate, validToDate }: X509Certificate): Validity {
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}
