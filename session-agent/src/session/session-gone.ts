import { ReplPoolError, type SessionGoneReason } from '@replpool/protocol';

/** What a session that has ended answers: deleted is as if it never was, anything else says why. */
export function sessionGone(id: string, reason: SessionGoneReason | undefined): ReplPoolError {
  if (reason === undefined || reason === 'deleted') {
    return new ReplPoolError('SESSION_NOT_FOUND', `there is no session ${id}`, { details: { session: id } });
  }
  return new ReplPoolError('SESSION_LOST', `session ${id} is gone`, {
    why: `It ended with reason ${reason}.`,
    details: { session: id, reason },
  });
}
