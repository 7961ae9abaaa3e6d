import assert from 'node:assert/strict';
import { pino } from 'pino';
import { FakeApiServer, pod } from '../../kube/test/fake-api-server.ts';
import { ManualClock } from '../../kube/test/manual-clock.ts';
import { isTold, shortened } from '../src/events.ts';
import { EventRecorder, TokenBucket } from '../src/index.ts';

const log = pino({ level: 'silent' });

describe('events', () => {
  it('have notes of at most 1,024 bytes, cut between characters', () => {
    assert.equal(shortened('x'.repeat(1_024)), 'x'.repeat(1_024));
    assert.equal(Buffer.byteLength(shortened('x'.repeat(1_025))), 1_024);
    for (const note of ['é'.repeat(600), `x${'é'.repeat(600)}`, '😀'.repeat(300)]) {
      assert.match(shortened(note), /^x?(é+|😀+)…$/u);
      assert.ok(Buffer.byteLength(shortened(note)) <= 1_024);
    }
  });

  it('of one transition are one event that counts, told at 2, 4, 8 …', async () => {
    await using server = await FakeApiServer.start();
    server.answer = () => ({ body: pod('a', '1') });
    await using recorder = new EventRecorder({ client: server.client, log, instance: 'op-1' });
    const transition = { type: 'Warning', reason: 'Failed', action: 'CreatePod', note: 'no quota' } as const;
    for (let count = 0; count < 9; count++) {
      recorder.record(pod('a', '1'), transition);
      await recorder.settled();
    }
    recorder.record(pod('a', '1'), { ...transition, note: 'something else' });
    await recorder.settled();
    const verbs = server.requests.map((it) => it.split(' ')[0]);
    assert.deepEqual(verbs, ['POST', 'PATCH', 'PATCH', 'PATCH', 'POST']);
    assert.deepEqual([1, 2, 3, 4, 5, 8].filter(isTold), [1, 2, 4, 8]);
  });

  it('never fail who records them, and not more than 25 an object go out at once', async () => {
    await using server = await FakeApiServer.start();
    await using recorder = new EventRecorder({
      client: server.client,
      log,
      instance: 'op-1',
      clock: new ManualClock(),
    });
    for (let count = 0; count < 100; count++) {
      recorder.record(pod('a', '1'), { type: 'Normal', reason: 'R', action: 'A', note: `note ${count}` });
    }
    await recorder.settled();
    assert.equal(server.requests.length, 25);
  });

  it('of trouble are told though many of what goes well were told just before', async () => {
    await using server = await FakeApiServer.start();
    const options = { client: server.client, log, instance: 'op-1', clock: new ManualClock() };
    await using recorder = new EventRecorder(options);
    const told: string[] = [];
    server.answer = (_url, _request, body) => {
      told.push((JSON.parse(body) as { reason: string }).reason);
      return { body: pod('a', '1') };
    };
    for (let count = 0; count < 100; count++) {
      recorder.record(pod('a', '1'), { type: 'Normal', reason: 'Created', action: 'A', note: `pod ${count}` });
    }
    recorder.record(pod('a', '1'), { type: 'Warning', reason: 'PodsCrash', action: 'A', note: 'it ended' });
    await recorder.settled();
    assert.equal(told.filter((reason) => reason === 'PodsCrash').length, 1);
  });
});

describe('a token bucket', () => {
  it('fills with time up to its burst', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(clock, 2, 3);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => bucket.take()),
      [true, true, true, false],
    );
    clock.advance(500);
    assert.deepEqual([bucket.take(), bucket.take()], [true, false]);
    clock.advance(60_000);
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => bucket.reserve()),
      [0, 0, 0, 500, 1_000],
    );
  });
});
