import assert from 'node:assert/strict';
import type { EventOf, SessionEvent } from '@replpool/protocol';
import type { AgentClient } from './agent-client.ts';
import { ChannelClient } from './channel-client.ts';
import { eventually } from './eventually.ts';

/** Idle again without having been `recovering`: these change the state of a session that lives. */
const WITHOUT_DEATH = ['undo', 'restart'];

/** All events of a session up to now. */
export async function eventsOf(agent: AgentClient, session: string): Promise<SessionEvent[]> {
  const client = await new ChannelClient(agent, session, { from: 0 }).opened();
  try {
    const { seq: last } = await client.wait('hello');
    await eventually('the last event', () => client.seqs.includes(last));
    return client.messages.filter((each) => 'seq' in each && each.type !== 'hello') as SessionEvent[];
  } finally {
    client.close();
  }
}

export function ofType<T extends SessionEvent['type']>(events: readonly SessionEvent[], type: T): EventOf<T>[] {
  return events.filter((event) => event.type === type) as EventOf<T>[];
}

/** How a session came back each time, and why it had to. */
export function returns(events: readonly SessionEvent[]): { reason: string | undefined; restored: string }[] {
  return ofType(events, 'session').flatMap(({ reason, restored }) =>
    restored === undefined ? [] : [{ reason, restored }],
  );
}

/** @throws AssertionError where they are not what a session may say, whatever happened to it */
export function checkEvents(events: readonly SessionEvent[]): void {
  const numbers = events.map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    'events are numbered from 1 without a hole',
  );
  for (const { execution } of ofType(events, 'queued')) checkExecution(events, execution);
  const ended = ofType(events, 'transaction').filter(({ transaction }) => transaction.outcome !== 'open');
  const ids = ended.map(({ transaction }) => transaction.id);
  assert.equal(new Set(ids).size, ids.length, 'a transaction ends once');
  checkStates(ofType(events, 'session'));
}

function checkExecution(events: readonly SessionEvent[], execution: string): void {
  const own = events.filter((event) => event.execution === execution);
  const of = (type: SessionEvent['type']) => own.filter((event) => event.type === type).length;
  for (const type of ['queued', 'finished'] as const) assert.equal(of(type), 1, `${type} of ${execution}`);
  assert.ok(of('started') <= 1, `started of ${execution}`);
  const finished = own.findIndex(({ type }) => type === 'finished');
  const [outcome] = ofType(own, 'finished');
  const told = ofType(own.slice(0, finished), 'transaction');
  assert.ok(told.length <= 1, `${execution} ends with ${told.length} events of transactions`);
  assert.deepEqual(
    told[0]?.transaction,
    outcome?.outcome.transaction,
    `what is told of the transaction of ${execution}`,
  );
  const later = own.slice(finished + 1).filter(({ type }) => type !== 'transaction');
  assert.deepEqual(later, [], `what comes behind the end of ${execution}`);
}

function checkStates(said: readonly EventOf<'session'>[]): void {
  let previous: EventOf<'session'> | undefined;
  for (const event of said) {
    const { state, stateEpoch, reason = '' } = event;
    const where = `${JSON.stringify(previous)} → ${JSON.stringify(event)}`;
    if (previous !== undefined) {
      assert.ok([0, 1].includes(stateEpoch - previous.stateEpoch), `the state epoch goes up by one: ${where}`);
      if (previous.state === 'recovering') assert.notEqual(state, 'recovering', `it comes back first: ${where}`);
      else if (state === 'idle') assert.ok(WITHOUT_DEATH.includes(reason), `it was there already: ${where}`);
    }
    previous = event;
  }
}
