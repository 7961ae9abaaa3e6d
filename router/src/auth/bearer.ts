import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ReplPoolError } from '@replpool/protocol';

/** The token of `Authorization: Bearer`. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}

/** What a token is remembered by: never the token itself, which would stand in a dump of our memory for all who ever called. */
export const digestOf = (token: string): string => hash('sha256', token, 'base64');

export const noToken = (what: string): ReplPoolError =>
  new ReplPoolError('UNAUTHENTICATED', `the request has no ${what}`, {
    how: 'Send it as `Authorization: Bearer …`.',
  });
