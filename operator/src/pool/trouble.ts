import { messageOf } from '@replpool/service';
import type { Creation } from './act.ts';
import type { Refused } from './create-pods.ts';

/** What keeps a pool from being as it is wanted, as the API server said it last. */
export interface Trouble {
  /** Why it makes no pods. */
  readonly refused?: Refused | undefined;
  /** Why nothing could be done at all. */
  readonly unreconciled?: string | undefined;
}

/** The trouble after all was done that could be. Where no pod was asked for, what was said of them last holds. */
export function troubleAfter(before: Trouble, creation: Creation): Trouble {
  return { refused: creation === 'held' ? before.refused : creation };
}

/** The trouble after a failure: what was said of pods before it holds. */
export function troubleOf({ refused }: Trouble, error: unknown): Trouble {
  return { refused, unreconciled: messageOf(error) };
}
