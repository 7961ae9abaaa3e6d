import assert from 'node:assert/strict';
import { ApiError } from '@replpool/kube';
import fc from 'fast-check';
import { pino } from 'pino';
import { ManualClock, turn } from '../../kube/test/manual-clock.ts';
import { ELECTION_TIMES, Election, LeadershipLostError, type LeaseStore } from '../src/index.ts';
import { type LeaseRecord, moveOf, observe } from '../src/leader/candidacy.ts';

const log = pino({ level: 'silent' });
const conflict = (reason: string) => new ApiError(409, { reason }, 'PUT lease');

/** One Lease with the API server's rules, and what each candidate's way to it does. */
class Leases {
  record: LeaseRecord | undefined;
  #version = 0;

  /** `answer`: normal; `refuse`: fails before it has an effect; `lose`: has its effect, and no answer comes; `hang`: neither. */
  store(way: () => 'answer' | 'refuse' | 'lose' | 'hang'): LeaseStore {
    const through = async <T>(signal: AbortSignal, effect: () => T): Promise<T> => {
      await turn();
      const how = way();
      if (how === 'refuse') throw new Error('refused');
      const result = how === 'hang' ? undefined : effect();
      if (how === 'answer') return result as T;
      return await new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    };
    return {
      get: (signal) => through(signal, () => this.record),
      create: (content, signal) =>
        through(signal, () => {
          if (this.record !== undefined) throw conflict('AlreadyExists');
          return this.#write(content);
        }),
      update: (content, resourceVersion, signal) =>
        through(signal, () => {
          if (this.record?.resourceVersion !== resourceVersion) throw conflict('Conflict');
          return this.#write(content);
        }),
    };
  }

  #write(content: Omit<LeaseRecord, 'resourceVersion'>): LeaseRecord {
    this.#version += 1;
    this.record = { ...content, acquireTime: content.acquireTime ?? 'now', resourceVersion: String(this.#version) };
    return this.record;
  }
}

/** A candidate whose work runs until its signal ends it. */
function candidate(name: string, leases: Leases, clock: ManualClock, way: () => 'answer' | 'refuse' | 'lose' | 'hang') {
  const election = new Election({ store: leases.store(way), me: name, log, clock, random: () => 0 });
  const stop = new AbortController();
  const state = { name, election, stop, working: false, reason: undefined as unknown, ended: undefined as unknown };
  const work = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      state.working = true;
      const end = () => {
        state.working = false;
        state.reason = signal.reason;
        resolve();
      };
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    });
  const running = election.lead(stop.signal, work).then((ended) => {
    state.ended = ended;
  });
  return Object.assign(state, { running });
}

describe('what a candidate does with a Lease', () => {
  const lease = { holder: 'b', durationMs: 15_000, transitions: 3, acquireTime: 'then', resourceVersion: '7' };

  it('takes another’s only after it saw it unchanged for its whole duration', () => {
    const seen = observe(lease, undefined, 1_000);
    assert.equal(moveOf(lease, seen, 'a', 15_999), 'wait');
    assert.equal(moveOf(lease, seen, 'a', 16_000), 'take');
    const renewed = { ...lease, resourceVersion: '8' };
    assert.equal(moveOf(renewed, observe(renewed, seen, 15_000), 'a', 16_000), 'wait');
    assert.equal(observe(lease, seen, 9_000), seen);
  });

  it('creates one that is missing, renews its own, takes a released one at once', () => {
    assert.equal(moveOf(undefined, undefined, 'a', 0), 'create');
    assert.equal(moveOf({ ...lease, holder: 'a' }, undefined, 'a', 0), 'renew');
    assert.equal(moveOf({ ...lease, holder: '' }, undefined, 'a', 0), 'take');
  });
});

describe('an election', () => {
  it('has one leader, whose successor begins once its work is over and the Lease released', async () => {
    const clock = new ManualClock();
    const leases = new Leases();
    const a = candidate('a', leases, clock, () => 'answer');
    await clock.pass(100, 10);
    const b = candidate('b', leases, clock, () => 'answer');
    await clock.pass(60_000, 100);
    assert.deepEqual([a.working, b.working, leases.record?.holder], [true, false, 'a']);
    a.stop.abort();
    await a.running;
    assert.deepEqual([a.ended, leases.record?.holder], ['stopped', '']);
    await clock.pass(ELECTION_TIMES.retryMs * 2, 100);
    assert.deepEqual([b.working, leases.record?.holder, leases.record?.transitions], [true, 'b', 1]);
    b.stop.abort();
    await b.running;
    assert.equal(clock.timers, 0);
  });

  it('stops a leader whose requests hang 10 s after its last renewal, before another can lead', async () => {
    const clock = new ManualClock();
    const leases = new Leases();
    let way: 'answer' | 'hang' = 'answer';
    const a = candidate('a', leases, clock, () => way);
    await clock.pass(4_000, 100);
    const b = candidate('b', leases, clock, () => 'answer');
    way = 'hang';
    await clock.pass(7_000, 100);
    assert.equal(a.working, true);
    await clock.pass(3_500, 100);
    await a.running;
    assert.deepEqual([a.ended, a.working, b.working], ['lost', false, false]);
    assert.ok(a.reason instanceof LeadershipLostError);
    await clock.pass(10_000, 100);
    assert.deepEqual([b.working, leases.record?.holder], [true, 'b']);
    b.stop.abort();
    await b.running;
  });

  it('goes on leading through a renewal that was written but never answered', async () => {
    const clock = new ManualClock();
    const leases = new Leases();
    const ways: 'lose'[] = ['lose'];
    let troubled = false;
    const a = candidate('a', leases, clock, () => (troubled ? (ways.pop() ?? 'answer') : 'answer'));
    await clock.pass(3_000, 100);
    troubled = true;
    await clock.pass(30_000, 100);
    assert.deepEqual([a.working, ways.length], [true, 0]);
    a.stop.abort();
    await a.running;
    assert.deepEqual([a.ended, leases.record?.holder, clock.timers], ['stopped', '', 0]);
  });

  it('ends at once when another holds the Lease after all', async () => {
    const clock = new ManualClock();
    const leases = new Leases();
    const a = candidate('a', leases, clock, () => 'answer');
    await clock.pass(1_000, 100);
    leases.record = { ...(leases.record as LeaseRecord), holder: 'thief', resourceVersion: 'stolen' };
    await clock.pass(ELECTION_TIMES.retryMs, 100);
    await a.running;
    assert.deepEqual([a.ended, leases.record.holder], ['lost', 'thief']);
  });

  it('releases when the work fails, and passes its error on', async () => {
    const clock = new ManualClock();
    const leases = new Leases();
    const election = new Election({ store: leases.store(() => 'answer'), me: 'a', log, clock });
    const work = async () => {
      throw new Error('broken');
    };
    await assert.rejects(election.lead(new AbortController().signal, work), /broken/);
    assert.equal(leases.record?.holder, '');
    assert.equal(clock.timers, 0);
  });

  it('never has two leaders, whatever becomes of their requests', async () => {
    const ways = fc.array(fc.constantFrom('answer', 'answer', 'answer', 'refuse', 'lose', 'hang'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(ways, ways, ways, async (...given) => {
        const all = given.map((it) => [...it]);
        const clock = new ManualClock();
        const leases = new Leases();
        const names = ['a', 'b', 'c'];
        const start = (index: number) =>
          candidate(`${names[index]}-${clock.now()}`, leases, clock, () => all[index]?.shift() ?? 'answer');
        const running = names.map((_, index) => start(index));
        for (let step = 0; step < 600; step++) {
          clock.advance(250);
          await turn();
          await turn();
          const leading = running.filter((it) => it.working).map((it) => it.name);
          assert.ok(leading.length <= 1, `${leading.join(' and ')} lead at once`);
          // A process that lost ends, and its replica set starts another.
          for (const [index, it] of running.entries()) if (it.ended !== undefined) running[index] = start(index);
        }
        assert.equal(running.filter((it) => it.working).length, 1);
        for (const it of running) it.stop.abort();
        await clock.pass(30_000, 1_000);
        await Promise.all(running.map((it) => it.running));
        assert.equal(clock.timers, 0);
      }),
      { numRuns: 25 },
    );
  });
});
