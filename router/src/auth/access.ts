import { ReplPoolError } from '@replpool/protocol';
import { type Awaitable, after } from '../awaitable.ts';
import type { Caller, Verb } from './caller.ts';

/** A session, as far as rights go. */
export interface Thing {
  readonly owner: string;
  readonly pool: string;
}

/** Why the caller may not do this to a session; undefined: they may. Its owner may do all, whatever else they may do in the pool. */
export function refusalOf(caller: Caller, verb: Verb, { owner, pool }: Thing): Awaitable<ReplPoolError | undefined> {
  if (caller.name === owner) return undefined;
  return after(caller.rights.may(verb, pool), (may) => (may ? undefined : belongsToAnother(verb)));
}

export const belongsToAnother = (verb: Verb): ReplPoolError =>
  new ReplPoolError('FORBIDDEN', 'the session belongs to another owner', { details: { verb } });

/**
 * What a request to a session is.
 * @param rest the path behind the session's id
 */
export function verbOf(method: string, rest: string): Verb {
  if (method === 'DELETE' && rest === '') return 'delete';
  const reads = method === 'GET' || method === 'HEAD';
  // A channel runs code, though it begins with a GET.
  return reads && rest !== '/channel' ? 'get' : 'connect';
}
