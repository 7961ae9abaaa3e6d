import { invalidRequest, type Session, type SessionList, type SessionListQuery } from '@replpool/protocol';
import { isPool } from './pools.ts';

/** How many sessions a page has where the client does not say. */
const DEFAULT_LIMIT = 100;

type Key = readonly [createdAt: string, id: string];

const keyOf = (session: Session): Key => [session.createdAt, session.id];

function compare(a: Key, b: Key): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  if (a[1] === b[1]) return 0;
  return a[1] < b[1] ? -1 : 1;
}

/** One page of the sessions that the query asks for, in the order of creation, which no later page disturbs. */
export function pageOf(sessions: readonly Session[], query: SessionListQuery): SessionList {
  const after = query.continue === undefined ? undefined : decodeToken(query.continue);
  const selectors = query.label === undefined ? [] : [query.label].flat();
  const unique = new Map(sessions.map((session) => [session.id, session]));
  const matching = [...unique.values()]
    .filter((session) => query.pool === undefined || isPool(session.pool, query.pool))
    .filter((session) => selectors.every((selector) => hasLabel(session, selector)))
    .filter((session) => after === undefined || compare(keyOf(session), after) > 0)
    .sort((a, b) => compare(keyOf(a), keyOf(b)));
  const items = matching.slice(0, query.limit ?? DEFAULT_LIMIT);
  const last = items.at(-1);
  return items.length < matching.length && last !== undefined
    ? { items, continue: encodeToken(keyOf(last)) }
    : { items };
}

function hasLabel(session: Session, selector: string): boolean {
  const at = selector.indexOf('=');
  const name = selector.slice(0, at);
  return Object.hasOwn(session.labels, name) && session.labels[name] === selector.slice(at + 1);
}

const encodeToken = (key: Key): string => Buffer.from(JSON.stringify(key)).toString('base64url');

function decodeToken(token: string): Key {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(value) && value.length === 2) {
      const [createdAt, id]: unknown[] = value;
      if (typeof createdAt === 'string' && typeof id === 'string') return [createdAt, id];
    }
  } catch {
    // Said below, as for every other token that is not ours.
  }
  throw invalidRequest('continue', 'not a token that a list gave');
}
