import { type Lifetimes, renewalOf, type Validity } from './lifetimes.ts';

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Who signs certificates. */
export interface Authority extends KeyPair, Validity {}

/**
 * The authorities of a release. One signs. Its successor is first trusted everywhere and signs only then, or those that have not heard of it
 * would refuse what it signed; the one before is trusted until all that it signed has expired.
 */
export interface Rotation {
  readonly signer: Authority;
  readonly next?: Authority & {
    /** Since when it is in every bundle. */
    readonly publishedAt?: number;
  };
  readonly retired: readonly {
    readonly cert: string;
    /** What it signed has expired then. */
    readonly until: number;
  }[];
}

/** What a rotation needs next: an authority to announce, or only to be written down as it is now. */
export type Step = { readonly kind: 'announce' } | { readonly kind: 'become'; readonly rotation: Rotation };

export interface RotationFacts {
  readonly now: number;
  /** Whether every Secret has the bundle of this rotation. */
  readonly isEverywhere: boolean;
}

export function nextStep(
  rotation: Rotation,
  { now, isEverywhere }: RotationFacts,
  lifetimes: Lifetimes,
): Step | undefined {
  const { signer, next, retired } = rotation;
  const kept = retired.filter(({ until }) => until > now);
  if (kept.length < retired.length) return become({ ...rotation, retired: kept });
  if (next === undefined) return now >= renewalOf(signer, lifetimes) ? { kind: 'announce' } : undefined;
  const { publishedAt, ...successor } = next;
  const isSettled = publishedAt !== undefined && now >= publishedAt + lifetimes.settleMs;
  // Somebody who cannot be told must not hold it up for ever: what the signer signed from now on would not live as long as it should.
  const isLate = now >= signer.notAfter - lifetimes.leafMs;
  if (isSettled || isLate) {
    const until = Math.min(signer.notAfter, now + lifetimes.leafMs);
    return become({ signer: successor, retired: [...retired, { cert: signer.cert, until }] });
  }
  if (publishedAt === undefined && isEverywhere) return become({ ...rotation, next: { ...next, publishedAt: now } });
  return undefined;
}

export function announced(rotation: Rotation, next: Authority): Rotation {
  return { ...rotation, next };
}

/** All authorities that are trusted. */
export function bundleOf({ signer, next, retired }: Rotation): string {
  return [signer, ...(next ? [next] : []), ...retired].map(({ cert }) => `${cert.trim()}\n`).join('');
}

function become(rotation: Rotation): Step {
  return { kind: 'become', rotation };
}
