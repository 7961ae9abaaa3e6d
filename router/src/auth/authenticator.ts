import type { IncomingHttpHeaders } from 'node:http';
import type { ReplPoolError } from '@replpool/protocol';
import type { Awaitable } from '../awaitable.ts';
import type { Caller } from './caller.ts';

/** One mode of section 10 of the design. */
export interface Authenticator extends Disposable {
  /** Who asks, or why nobody is let in. May reject with AGENT_UNAVAILABLE or RATE_LIMITED where who knows cannot be asked. */
  authenticate(headers: IncomingHttpHeaders): Awaitable<Caller | ReplPoolError>;
  /** Whether callers can be told apart already; once true it stays so. */
  readonly ready: boolean;
}
