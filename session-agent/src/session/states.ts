import type { SessionState } from '@replpool/protocol';

/** Every transition of a session that exists; anything else is a defect and throws. */
const TRANSITIONS: Readonly<Record<SessionState, readonly SessionState[]>> = {
  starting: ['idle', 'lost', 'closed'],
  idle: ['busy', 'recovering', 'closed', 'lost'],
  busy: ['idle', 'recovering', 'closed', 'lost'],
  recovering: ['idle', 'closed', 'lost'],
  moving: [],
  suspended: [],
  closed: [],
  lost: [],
};

export class IllegalTransition extends Error {
  constructor(from: SessionState, to: SessionState) {
    super(`a session cannot go from ${from} to ${to}`);
    this.name = 'IllegalTransition';
  }
}

/** @throws IllegalTransition where the table has no such transition */
export function transition(from: SessionState, to: SessionState): SessionState {
  if (!TRANSITIONS[from].includes(to)) throw new IllegalTransition(from, to);
  return to;
}

/** A session in such a state has ended for good. */
export function hasEnded(state: SessionState): boolean {
  return state === 'closed' || state === 'lost';
}
