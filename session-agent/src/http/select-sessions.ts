import type { SessionList, SessionListQuery } from '@replpool/protocol';
import type { Session } from '../session/session.ts';

const DEFAULT_LIMIT = 100;

/** One page of the sessions that match, by age and then id; `continue` is the last one's place in that order. */
export function selectSessions(all: readonly Session[], query: SessionListQuery): SessionList {
  const wanted = [query.label ?? []].flat().map((selector) => selector.split('=', 2));
  const matching = all
    .filter((session) => wanted.every(([name = '', value = '']) => session.labels[name] === value))
    .map((session) => ({ session, place: `${session.createdAt.toISOString()} ${session.id}` }))
    .filter(
      ({ session, place }) => inPool(session, query.pool) && (query.continue === undefined || place > query.continue),
    )
    .toSorted((a, b) => (a.place < b.place ? -1 : 1));
  const page = matching.slice(0, query.limit ?? DEFAULT_LIMIT);
  const last = page.at(-1);
  return {
    items: page.map(({ session }) => session.toResource()),
    ...(last && page.length < matching.length && { continue: last.place }),
  };
}

function inPool(session: Session, pool: string | undefined): boolean {
  return pool === undefined || session.toResource().pool === pool;
}
