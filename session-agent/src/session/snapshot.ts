import type { SnapshotKind } from '@replpool/protocol';
import type { Twin } from './twin.ts';

/** A variable that a copy holds by reference only, and why. */
export interface NotCopied {
  readonly name: string;
  readonly why: string;
}

/** The state of a session's worker at one moment, to which it can be rolled back. */
export type Snapshot = {
  readonly id: string;
  readonly kind: SnapshotKind;
  /** What it took, in milliseconds. */
  readonly costMs: number;
  /** Why it is not of the kind that was wanted first. */
  readonly reason?: string | undefined;
} & (
  | { readonly kind: 'fork'; readonly twin: Twin }
  | { readonly kind: 'copy'; readonly notCopied: readonly NotCopied[] }
);
