export interface SessionPath {
  readonly id: string;
  /** Path and query as they go to the agent, with the id in lower case. */
  readonly target: string;
  /** What follows the id, without the query: '' or '/executions/…'. */
  readonly rest: string;
}

export type PathProblem = 'not-a-session' | 'dot-segment' | 'bad-id';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const PREFIX = '/v1/sessions/';
// A dot segment, or a backslash, would be resolved by an agent's URL parser and could name another session than the
// one whose owner we checked (WHATWG URL, "double-dot URL path segment", which counts %2e as a dot).
const DOTS = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)|\\/i;

/** The session that a request target names. Paths are passed on as they were written; what could be read in two ways is refused. */
export function parseSessionPath(url: string): SessionPath | PathProblem {
  if (!url.startsWith(PREFIX)) return 'not-a-session';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  const slash = path.indexOf('/', PREFIX.length);
  const rawId = slash === -1 ? path.slice(PREFIX.length) : path.slice(PREFIX.length, slash);
  if (rawId === '' && slash === -1) return 'not-a-session';
  const rest = slash === -1 ? '' : path.slice(slash);
  if (DOTS.test(path)) return 'dot-segment';
  const id = rawId.toLowerCase();
  if (!UUID.test(id)) return 'bad-id';
  return { id, rest, target: PREFIX + id + rest + (query === -1 ? '' : url.slice(query)) };
}
