import { ANONYMOUS_OWNER, ReplPoolError } from '@replpool/protocol';
import { foreignReason } from '../loopback.ts';
import type { Authenticator } from './authenticator.ts';
import { type Caller, OWN } from './caller.ts';

const ANONYMOUS: Caller = { name: ANONYMOUS_OWNER, rights: OWN };

/** Mode `none`: whoever reaches loopback, and no web page from elsewhere. */
export const fromLoopback: Authenticator = {
  ready: true,
  authenticate({ host, origin }) {
    const reason = foreignReason(host, origin);
    if (reason === undefined) return ANONYMOUS;
    return new ReplPoolError('FORBIDDEN', reason, {
      why: 'without authentication only this machine is served, and no web page from elsewhere',
      how: 'Call it as http://127.0.0.1:PORT or http://localhost:PORT, or use API keys.',
    });
  },
  [Symbol.dispose]() {},
};
