import assert from 'node:assert/strict';
import { pino } from 'pino';
import { FakeApiServer } from '../../kube/test/fake-api-server.ts';
import { ManualClock } from '../../kube/test/manual-clock.ts';
import { EventRecorder } from '../src/index.ts';
import { toPoolObject } from '../src/pool/pool-object.ts';
import type { PoolStatus } from '../src/pool/status.ts';
import { StatusReports } from '../src/pool/status-reports.ts';

const KEY = 'team/data';

async function start() {
  const server = await FakeApiServer.start();
  const uids: unknown[] = [];
  server.answer = (_url, { method }, body) => {
    if (method === 'PATCH') uids.push((JSON.parse(body) as { metadata: { uid?: string } }).metadata.uid);
    return { body: { metadata: { name: 'data', uid: 'pool', resourceVersion: '2' } } };
  };
  const clock = new ManualClock();
  const events = new EventRecorder({ client: server.client, log: pino({ level: 'silent' }), instance: 'op', clock });
  const reports = new StatusReports({ client: server.client, events, clock });
  const { signal } = new AbortController();
  /** What the store has of the pool, and what its status is to be. */
  const report = (resourceVersion: string, there: PoolStatus, status: PoolStatus) => {
    const metadata = { name: 'data', namespace: 'team', uid: 'pool', resourceVersion };
    return reports.report(KEY, toPoolObject({ metadata, spec: {}, status: there }), () => status, signal);
  };
  const close = async () => {
    await events[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  const writes = () => server.requests.filter((each) => each.startsWith('PATCH')).length;
  return { clock, report, writes, uids, [Symbol.asyncDispose]: close };
}

const active = (count: number): PoolStatus => ({ replicas: 1, sessions: { active: count, idle: 0, capacity: 8 } });

describe('the status of a pool', () => {
  it('is written when it says something else, and not again before the store shows it', async () => {
    await using api = await start();
    assert.equal(await api.report('1', {}, active(1)), undefined);
    assert.equal(await api.report('1', {}, active(1)), undefined);
    assert.equal(await api.report('2', active(1), active(1)), undefined);
    assert.equal(api.writes(), 1);
  });

  it('has the counters of a busy pool at most every three seconds, the first change at once', async () => {
    await using api = await start();
    await api.report('1', {}, active(1));
    api.clock.advance(1000);
    assert.equal(await api.report('2', active(1), active(2)), 2000);
    assert.equal(api.writes(), 1);
    api.clock.advance(2000);
    assert.equal(await api.report('2', active(1), active(3)), undefined);
    assert.equal(api.writes(), 2);
  });

  it('has the wording of a condition at most every three seconds, and its status at once', async () => {
    await using api = await start();
    const degraded = (status: 'True' | 'False', message: string): PoolStatus => {
      const rest = { reason: 'TemplateFails', observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z' };
      return { ...active(1), conditions: [{ type: 'Degraded', status, message, ...rest }] };
    };
    await api.report('1', {}, degraded('True', 'one'));
    assert.equal(await api.report('2', degraded('True', 'one'), degraded('True', 'two')), 3000);
    assert.equal(api.writes(), 1);
    assert.equal(await api.report('2', degraded('True', 'one'), degraded('False', 'two')), undefined);
    assert.equal(api.writes(), 2);
  });

  it('has all else at once', async () => {
    await using api = await start();
    await api.report('1', {}, active(1));
    await api.report('2', active(1), { ...active(2), replicas: 2 });
    assert.equal(api.writes(), 2);
  });

  it('is that of one pool, and of no other of its name that is made meanwhile', async () => {
    await using api = await start();
    await api.report('1', {}, active(1));
    assert.deepEqual(api.uids, ['pool']);
  });

  it('is put right where somebody else wrote it', async () => {
    await using api = await start();
    await api.report('1', {}, active(1));
    await api.report('3', { replicas: 7 }, active(1));
    assert.equal(api.writes(), 2);
  });
});
