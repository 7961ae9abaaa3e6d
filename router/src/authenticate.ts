import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ANONYMOUS_OWNER, type AuthConfig, ReplPoolError } from '@replpool/protocol';
import { foreignReason } from './loopback.ts';

/** Who asks. */
export interface Caller {
  readonly name: string;
  readonly admin: boolean;
}

export type Authenticate = (headers: IncomingHttpHeaders) => Caller | ReplPoolError;

const ANONYMOUS: Caller = { name: ANONYMOUS_OWNER, admin: false };

/** Decides from a request's headers who asks, or why nobody is let in (section 10 of the design). */
export function authenticator(auth: AuthConfig): Authenticate {
  if (auth.mode === 'none') return fromLoopback;
  const keys = auth.keys.map((key) => ({
    digest: Buffer.from(key.sha256, 'hex'),
    caller: { name: key.name, admin: key.admin === true },
  }));
  return (headers) => {
    const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) {
      return new ReplPoolError('UNAUTHENTICATED', 'the request has no API key', {
        how: 'Send it as `Authorization: Bearer KEY`.',
      });
    }
    const digest = hash('sha256', token, 'buffer');
    let found: Caller | undefined;
    // Every key is compared, so that the time says nothing about which one was near.
    for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key.caller;
    return found ?? new ReplPoolError('UNAUTHENTICATED', 'the API key is not known');
  };
}

function fromLoopback(headers: IncomingHttpHeaders): Caller | ReplPoolError {
  const reason = foreignReason(headers.host, headers.origin);
  if (reason === undefined) return ANONYMOUS;
  return new ReplPoolError('FORBIDDEN', reason, {
    why: 'without authentication only this machine is served, and no web page from elsewhere',
    how: 'Call it as http://127.0.0.1:PORT or http://localhost:PORT, or use API keys.',
  });
}

/** Whose sessions an agent may show this caller; undefined: everybody's. */
export const ownerToAskFor = (caller: Caller): string | undefined => (caller.admin ? undefined : caller.name);

/** Why `caller` may not touch what belongs to `owner`; undefined: it may. */
export function ownerRefusal(caller: Caller, owner: string | undefined): ReplPoolError | undefined {
  if (owner === undefined || caller.admin || caller.name === owner) return undefined;
  return new ReplPoolError('FORBIDDEN', 'the session belongs to another owner');
}
