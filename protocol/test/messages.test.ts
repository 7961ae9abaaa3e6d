import assert from 'node:assert/strict';
import {
  agentLinkSchema,
  authConfigSchema,
  chooseSubprotocol,
  clientMessageSchema,
  eventSchema,
  hitRate,
  metrics,
  serverMessageSchema,
  sessionGoneReason,
  sessionListQuerySchema,
  sessionLostReasons,
} from '../src/index.ts';

const id = '0d3bd0c2-8f6c-4a0e-9c3e-0d6c0c1f4a52';
const time = '2026-11-21T14:30:00.123Z';

describe('the channel', () => {
  it("takes the first subprotocol of the client's offer that it knows, or none", () => {
    assert.equal(chooseSubprotocol(['x', 'replpool.v1.json', 'replpool.v1.msgpack']), 'replpool.v1.json');
    assert.equal(chooseSubprotocol(['replpool.v2.json']), undefined);
  });

  it('takes every message of a client, and an execute only with an id', () => {
    const execute = { type: 'execute', id: 'e', code: '1', timeoutSeconds: 5, stdin: '', silent: false, stateEpoch: 1 };
    const messages = [
      execute,
      { type: 'input', execution: 'e', value: '' },
      { type: 'input', execution: 'e', eof: true },
      { type: 'interrupt' },
      { type: 'complete', request: 1, code: 'a', cursor: 1 },
      { type: 'inspect', request: 'r', code: 'a', cursor: 1 },
      { type: 'commit', request: 1, transaction: 't' },
      { type: 'rollback', request: 1 },
      { type: 'undo', request: 1, executions: 2 },
      { type: 'ack', seq: 3 },
      { type: 'ping' },
    ];
    for (const message of messages) assert.deepEqual(clientMessageSchema.parse(message), message);
    assert.equal(clientMessageSchema.safeParse({ type: 'execute', code: '1' }).success, false);
    assert.equal(clientMessageSchema.safeParse({ type: 'checkpoint', request: 1 }).success, false);
  });

  it('sends the same events as the streams, between hello, replies and pongs', () => {
    const messages = [
      { type: 'hello', session: id, epoch: 1, seq: 0, state: 'idle', protocol: 1 },
      { type: 'reply', request: 1, value: { matches: [], cursorStart: 0, cursorEnd: 0 } },
      { type: 'pong' },
      { type: 'stdout', seq: 1, time, execution: 'e', data: 'hi' },
      { type: 'stdout', seq: 2, time, data: 'from a thread, later' },
      { type: 'gap', seq: 9, time, from: 3, to: 9 },
      { type: 'session', seq: 10, time, state: 'idle', stateEpoch: 2, reason: 'oom', restored: 'nothing', lost: [] },
    ];
    for (const message of messages) assert.deepEqual(serverMessageSchema.parse(message), message);
  });
});

describe('an event', () => {
  it('without a number, or with a field that is not its own, is refused', () => {
    assert.equal(eventSchema.safeParse({ type: 'stdout', time, data: '' }).success, false);
    assert.equal(eventSchema.safeParse({ type: 'queued', seq: 1, time, execution: 'e', data: '' }).success, false);
  });
});

describe('the link between agent and router', () => {
  const capacity = { sessions: 32, active: 1, busy: 0, warm: 4, free: 31, hits: 1, misses: 0 };
  const session = { id, epoch: 1, state: 'busy', owner: 'alice', labels: { a: 'b' }, stateEpoch: 1 };

  it('carries a snapshot, then changes', () => {
    const readiness = { ready: true, draining: false, capacity };
    const messages = [
      { type: 'snapshot', pod: 'data-0', pool: 'data', ...readiness, sessions: [session] },
      { type: 'capacity', ...readiness },
      { type: 'session', session },
      { type: 'session_gone', id, reason: 'deleted' },
      { type: 'heartbeat' },
    ];
    for (const message of messages) assert.deepEqual(agentLinkSchema.parse(message), message);
  });

  it('has no room for endless names and sessions', () => {
    const told = (change: object) => agentLinkSchema.safeParse({ type: 'session', session: { ...session, ...change } });
    assert.equal(told({ owner: 'x'.repeat(1024) }).success, true);
    assert.equal(told({ owner: 'x'.repeat(1025) }).success, false);
    const labels = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, 'x']));
    assert.equal(told({ labels }).success, false);
    const snapshot = { type: 'snapshot', pod: 'data-0', pool: 'data', ready: true, draining: false, capacity };
    const withSessions = (length: number) =>
      agentLinkSchema.safeParse({ ...snapshot, sessions: Array.from({ length }, () => session) }).success;
    assert.deepEqual([withSessions(10_000), withSessions(10_001)], [true, false]);
  });

  it('has no room for endless failures', () => {
    const failing = (...failures: object[]) =>
      agentLinkSchema.safeParse({ type: 'capacity', ready: false, draining: false, capacity, failures }).success;
    const failure = { template: 'default', message: 'x'.repeat(500) };
    assert.equal(failing(...Array.from({ length: 65 }, () => failure)), true);
    assert.equal(failing(...Array.from({ length: 66 }, () => failure)), false);
    assert.equal(failing({ ...failure, message: 'x'.repeat(501) }), false);
    assert.equal(failing({ ...failure, template: 'x'.repeat(64) }), false);
  });

  it('knows every reason of a lost session', () => {
    for (const reason of sessionLostReasons) assert.equal(sessionGoneReason.parse(reason), reason);
  });
});

describe('small things', () => {
  it('a hit rate before the first session is not a number made up', () => {
    assert.equal(hitRate(0, 0), null);
    assert.equal(hitRate(3, 1), 0.75);
  });

  it("a query's numbers come as text", () => {
    assert.equal(sessionListQuerySchema.parse({ limit: '5', label: 'a=b' }).limit, 5);
    assert.equal(sessionListQuerySchema.safeParse({ limit: '0' }).success, false);
  });

  it('a key is stored hashed, never as it is', () => {
    assert.equal(
      authConfigSchema.safeParse({ mode: 'apiKeys', keys: [{ name: 'a', sha256: 'secret' }] }).success,
      false,
    );
  });

  it('no metric has a label that grows with the sessions', () => {
    const labels = Object.values(metrics).flatMap((metric): readonly string[] => metric.labels);
    assert.deepEqual(
      labels.filter((label) => label === 'session' || label === 'execution'),
      [],
    );
  });
});
