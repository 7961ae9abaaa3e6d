import { X509Certificate } from 'node:crypto';
import { TLS_FILE_NAMES } from '@replpool/protocol';
import { z } from 'zod';
import { certificateOf, validityOf } from './leaf.ts';
import { type Authority, bundleOf, type KeyPair, type Rotation } from './rotation.ts';
import type { SecretData } from './secrets.ts';

const { cert: CERT, key: KEY, ca: CA } = TLS_FILE_NAMES;
/** What a rotation is beside who signs: times are ISO 8601. */
const ROTATION = 'rotation.json';

const time = z.iso.datetime().transform((text) => Date.parse(text));
const rotationSchema = z.object({
  next: z.object({ cert: z.string(), key: z.string(), publishedAt: time.optional() }).optional(),
  retired: z.array(z.object({ cert: z.string(), until: time })),
});

/** What the Secret of the authorities holds. */
export function dataOf(rotation: Rotation): SecretData {
  const { signer, next, retired } = rotation;
  const state: z.input<typeof rotationSchema> = {
    ...(next && {
      next: {
        ...{ cert: next.cert, key: next.key },
        ...(next.publishedAt !== undefined && { publishedAt: new Date(next.publishedAt).toISOString() }),
      },
    }),
    retired: retired.map(({ cert, until }) => ({ cert, until: new Date(until).toISOString() })),
  };
  return { [CERT]: signer.cert, [KEY]: signer.key, [CA]: bundleOf(rotation), [ROTATION]: JSON.stringify(state) };
}

/** Undefined where it holds no authority that can sign: then it is worth nothing, whatever else it has. */
export function rotationOf(data: SecretData): Rotation | undefined {
  const signer = authorityOf({ cert: data[CERT] ?? '', key: data[KEY] ?? '' });
  if (signer === undefined) return undefined;
  const { next, retired } = stateOf(data[ROTATION] ?? '');
  const successor = next && authorityOf(next);
  return {
    signer,
    ...(successor && {
      next: { ...successor, ...(next?.publishedAt !== undefined && { publishedAt: next.publishedAt }) },
    }),
    retired: retired.filter(({ cert }) => isCertificate(cert)),
  };
}

function stateOf(text: string): z.output<typeof rotationSchema> {
  const nothing = { retired: [] };
  try {
    return rotationSchema.safeParse(JSON.parse(text)).data ?? nothing;
  } catch {
    // Somebody broke it. Who signs is what counts, and a successor is found again when its time comes.
    return nothing;
  }
}

function authorityOf(pair: KeyPair): Authority | undefined {
  const certificate = certificateOf(pair);
  if (certificate === undefined || !certificate.ca) return undefined;
  return { cert: pair.cert, key: pair.key, ...validityOf(certificate) };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // One that does not parse would spoil the bundle for all others.
    return false;
  }
}
