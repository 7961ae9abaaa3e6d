import assert from 'node:assert/strict';
import type { AgentLinkMessage } from '@replpool/protocol';
import { ManualClock } from '../../kube/test/manual-clock.ts';
import { HeardAgent } from '../src/agents/heard-agent.ts';

const AWAIT_MS = 12_000;
const me = { pod: 'data-1', pool: 'team:data' };
const capacity = { sessions: 32, active: 3, busy: 0, warm: 0, free: 29, hits: 0, misses: 0 };
const snapshot: AgentLinkMessage = { type: 'snapshot', ...me, ready: true, draining: false, capacity, sessions: [] };

function start() {
  const clock = new ManualClock();
  const it = { clock, changes: 0 };
  const heard = new HeardAgent({ ...me, url: 'http://127.0.0.1:1' }, AWAIT_MS, clock, () => {
    it.changes += 1;
  });
  return Object.assign(it, { heard });
}

describe('an agent that is heard', () => {
  it('is awaited no longer than a while in sum where it says a word and hangs up, again and again', () => {
    const { clock, heard } = start();
    heard.await();
    let awaited = 0;
    for (let second = 0; second < 60; second += 1) {
      clock.advance(500);
      heard.hear(snapshot);
      clock.advance(500);
      heard.unheard();
      if (heard.isAwaited) awaited += 1;
    }
    assert.ok(awaited > 0);
    assert.ok(awaited <= AWAIT_MS / 1000, `${awaited} times of 60`);
    assert.equal(clock.timers, 0);
  });

  it('is awaited anew after it has spoken without a break for that long', () => {
    const { clock, heard } = start();
    heard.await();
    clock.advance(AWAIT_MS);
    assert.ok(!heard.isAwaited);
    heard.hear(snapshot);
    // One word and a long silence are not that.
    clock.advance(AWAIT_MS + 1);
    heard.unheard();
    assert.ok(!heard.isAwaited);
    heard.hear(snapshot);
    clock.advance(AWAIT_MS + 1);
    heard.hear({ type: 'heartbeat' });
    heard.unheard();
    assert.ok(heard.isAwaited);
    clock.advance(AWAIT_MS);
    assert.ok(!heard.isAwaited);
  });

  it('is silent once it is disposed, whoever still holds it', () => {
    const it = start();
    it.heard.hear(snapshot);
    assert.equal(it.changes, 1);
    it.heard[Symbol.dispose]();
    it.heard.unheard();
    it.heard.await();
    it.heard.hear(snapshot);
    assert.equal(it.changes, 1);
    assert.ok(!it.heard.isAwaited);
    assert.equal(it.clock.timers, 0);
  });
});
