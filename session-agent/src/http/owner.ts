import type { IncomingMessage } from 'node:http';
import { ANONYMOUS_OWNER, EPOCH_HEADER, OWNER_HEADER, ReplPoolError } from '@replpool/protocol';
import type { Session } from '../session/session.ts';

/** Who calls, as the router that knows our token authenticated them. */
export function ownerOf(request: IncomingMessage): string {
  const owner = request.headers[OWNER_HEADER];
  return typeof owner === 'string' && owner !== '' ? owner : ANONYMOUS_OWNER;
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
