/** Of certificates, in milliseconds. */
export interface Lifetimes {
  readonly authorityMs: number;
  readonly leafMs: number;
  /** The share of its life after which a certificate has a successor. */
  readonly renewAfter: number;
  /** So long before it is made a certificate begins: the clocks of nodes differ. */
  readonly backdateMs: number;
  /** From a bundle in every Secret to the last process that has read it: a kubelet takes up to two minutes. */
  readonly settleMs: number;
  /** Secrets are looked at so often. Nobody tells of their deletion, for they are neither listed nor watched. */
  readonly lookMs: number;
}

const DAY_MS = 86_400_000;

export const LIFETIMES: Lifetimes = {
  authorityMs: 3_650 * DAY_MS,
  leafMs: 90 * DAY_MS,
  renewAfter: 2 / 3,
  backdateMs: 300_000,
  settleMs: 600_000,
  lookMs: 30_000,
};

/** Times since the epoch, in milliseconds; certificates have whole seconds. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** When a certificate is to have a successor. */
export function renewalOf({ notBefore, notAfter }: Validity, { renewAfter }: Lifetimes): number {
  return notBefore + (notAfter - notBefore) * renewAfter;
}
