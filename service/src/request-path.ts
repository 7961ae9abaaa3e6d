import type { IncomingMessage } from 'node:http';
import { type MatchedPath, ReplPoolError } from '@replpool/protocol';

/** The path of a request as it was written, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/**
 * Why nothing answers this method at this path: NOT_FOUND or METHOD_NOT_ALLOWED; undefined: something does.
 * OPTIONS is no method of any path, the 405 says in `Allow` what it asks for.
 * @param matched what `matchPath` found for the path
 */
export function notServed(request: IncomingMessage, matched: MatchedPath | undefined): ReplPoolError | undefined {
  const { method = '' } = request;
  if (matched === undefined) return new ReplPoolError('NOT_FOUND', `nothing is served at ${pathOf(request)}`);
  const { allow } = matched;
  if (allow.includes(method)) return undefined;
  return new ReplPoolError('METHOD_NOT_ALLOWED', `${pathOf(request)} has no ${method}`, { details: { allow } });
}
