import { type Awaitable, after } from '../awaitable.ts';

/**
 * What may be done in a pool beyond one's own sessions; in Kubernetes, on `replpools/sessions`.
 * - `create`: make sessions there
 * - `get`: read others': session, history, events, variables, files
 * - `list`: see others' in lists
 * - `delete`: delete others'
 * - `connect`: whatever runs or changes something in others'
 */
export type Verb = 'create' | 'get' | 'list' | 'delete' | 'connect';

/** What one caller may do; each mode of authentication has its own. */
export interface Rights {
  /**
   * @param pool by its whole name
   * @throws ReplPoolError AGENT_UNAVAILABLE (by rejecting) where who decides cannot be asked
   */
  may(verb: Verb, pool: string): Awaitable<boolean>;
}

/** Who asks, and what they may do. */
export interface Caller {
  /** The owner of what they create. */
  readonly name: string;
  readonly rights: Rights;
}

/** Sessions of one's own in every pool, and nothing of others. */
export const OWN: Rights = { may: (verb) => verb === 'create' };

/** An admin's. */
export const ALL: Rights = { may: () => true };

/** Whether a pool is the caller's business: they may make sessions there, or see others' in lists. */
export function sees({ rights }: Caller, pool: string): Awaitable<boolean> {
  return after(rights.may('create', pool), (may) => may || rights.may('list', pool));
}
