import type { IncomingMessage } from 'node:http';
import { ANONYMOUS_OWNER, decodeOwner, EPOCH_HEADER, OWNER_HEADER, ReplPoolError } from '@replpool/protocol';
import type { Session } from '../session/session.ts';

/**
 * For whom the router asks; undefined: for nobody, the caller may see all.
 * @throws ReplPoolError INVALID_REQUEST
 */
export function callerOf(request: IncomingMessage): string | undefined {
  const owner = request.headers[OWNER_HEADER];
  return typeof owner === 'string' && owner !== '' ? decodeOwner(owner) : undefined;
}

/** To whom what the request makes will belong. */
export const ownerOf = (request: IncomingMessage): string => callerOf(request) ?? ANONYMOUS_OWNER;

/** A router may not know yet whose a session is; it always says for whom it asks. @throws ReplPoolError FORBIDDEN */
export function checkOwner(request: IncomingMessage, session: Session): void {
  const caller = callerOf(request);
  if (caller === undefined || caller === session.owner) return;
  throw new ReplPoolError('FORBIDDEN', `session ${session.id} belongs to another owner`);
}

/**
 * The fence between owners: a caller that knows another epoch than ours talks to a session that is not this one any more.
 * @throws ReplPoolError WRONG_OWNER
 */
export function checkEpoch(request: IncomingMessage, session: Session): void {
  const epoch = request.headers[EPOCH_HEADER];
  if (epoch === undefined || Number(epoch) === session.epoch) return;
  throw new ReplPoolError('WRONG_OWNER', `session ${session.id} is at epoch ${session.epoch} here, not ${epoch}`, {
    details: { session: session.id, epoch: session.epoch },
  });
}
