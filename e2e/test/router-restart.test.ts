import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelClient } from './support/channel-client.ts';
import { SMALL, type TestPool } from './support/pool.ts';
import { withRelease } from './support/release.ts';
import type { RouterProcess } from './support/router-process.ts';

/** "Service restart", of RFC 6455's registry. */
const RESTART = 1012;
/** No close frame came. */
const ABNORMAL = 1006;

/** Which agent is heard first is a matter of chance. */
const STARTS = 5;

const ASKS_TWICE = `for _ in range(2):
    print(input())`;

describe('a router that goes', function () {
  this.timeout(60_000);
  const release = withRelease('router');
  let pool: TestPool;
  let going: RouterProcess;
  let staying: RouterProcess;
  before(async function () {
    this.timeout(120_000);
    pool = release().pool('routed');
    await pool.apply({ ...SMALL, replicas: 3 });
    await pool.settled(3);
  });
  beforeEach(async () => {
    going = await release().startRouter();
    staying = await release().startRouter();
    await Promise.all([going.ready(), staying.ready()]);
  });
  afterEach(async () => {
    await going[Symbol.asyncDispose]();
    await staying[Symbol.asyncDispose]();
  });

  const patientOf = (router: RouterProcess) => release().clientOf(router).patient();

  for (const [how, code, end] of [
    ['is told to', RESTART, (router: RouterProcess) => router.terminate()],
    ['is killed', ABNORMAL, (router: RouterProcess) => router.kill()],
  ] as const) {
    it(`because it ${how} costs a channel no event: its client comes back to another one with the last that it has`, async () => {
      const [client, other] = [patientOf(going), patientOf(staying)];
      const { id } = await client.session();
      const before = new ChannelClient(client, id);
      await other.submit(id, 'asks', ASKS_TWICE);
      await before.event(({ type }) => type === 'input_request');
      await end(going);
      assert.equal(await before.closed, code);
      // What comes while nobody listens comes later.
      await other.input(id, 'asks', 'one');
      using after = new ChannelClient(other, id, before.seq);
      await after.event(({ type }) => type === 'input_request');
      after.send({ type: 'input', execution: 'asks', value: 'two' });
      await after.event(({ type }) => type === 'finished');
      const events = [...before.events, ...after.events];
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, index) => index + 1),
      );
      const printed = events.map((event) => (event.type === 'stdout' ? event.data : '')).join('');
      assert.equal(printed, 'one\ntwo\n');
      await other.end(id);
    });
  }

  it('answers what it was asked before, and ends', async () => {
    const [client, other] = [patientOf(going), patientOf(staying)];
    const { id } = await client.session();
    const running = client.run(id, 'answer = input()\nanswer', 'asks');
    // Through the one that goes, which has to be told later.
    await other.accepted(id, 'asks');
    going.terminate();
    while (await going.isReady()) await sleep(20);
    await other.input(id, 'asks', 'done');
    assert.equal((await running).result?.data['text/plain'], "'done'");
    assert.equal(await going.exited(), 0);
    await other.end(id);
  });

  it('is followed by one that knows all sessions before it says that it is ready', async () => {
    const client = patientOf(staying);
    const sessions: string[] = [];
    const pods = new Set<string>();
    while (pods.size < 3) {
      const { id, pod } = await client.session();
      sessions.push(id);
      pods.add(pod);
    }
    for (let start = 0; start < STARTS; start += 1) {
      await using next = await release().startRouter();
      await next.ready();
      assert.deepEqual((await release().clientOf(next).list()).toSorted(), sessions.toSorted());
    }
    for (const id of sessions) await client.end(id);
  });
});
