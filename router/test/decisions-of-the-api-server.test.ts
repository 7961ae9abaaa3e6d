import assert from 'node:assert/strict';
import { pino } from 'pino';
import { ManualClock, turn } from '../../kube/test/manual-clock.ts';
import { Bulkhead } from '../src/auth/kubernetes/bulkhead.ts';
import { Decisions, type Yes } from '../src/auth/kubernetes/decisions.ts';
import { Outage } from '../src/auth/kubernetes/outage.ts';

const MINUTE = 60_000;
const AT_ONCE = 4;
const WAITING = 8;
const unavailable = { code: 'AGENT_UNAVAILABLE', status: 503, retryable: true };

/** Decisions about one question, and an API server that a test speaks for. */
class Asked {
  readonly clock = new ManualClock();
  readonly decisions: Decisions<string>;
  times = 0;
  answer: () => Promise<Yes<string> | undefined> = async () => ({ value: 'yes' });

  constructor() {
    const outage = new Outage(this.clock, pino({ level: 'silent' }));
    this.decisions = new Decisions(this.clock, outage, new Bulkhead(AT_ONCE, WAITING));
  }

  decide(key = 'key') {
    return this.decisions.decide(key, () => {
      this.times += 1;
      return this.answer();
    });
  }

  gone(): void {
    this.answer = () => Promise.reject(new Error('connection refused'));
  }
}

describe('decisions of the API server', () => {
  it('are asked for once by those who ask the same at once', async () => {
    const it = new Asked();
    assert.deepEqual(await Promise.all([it.decide(), it.decide(), it.decide()]), ['yes', 'yes', 'yes']);
    assert.equal(it.times, 1);
  });

  it('are there at once while they are fresh, a yes and a no', async () => {
    const it = new Asked();
    await it.decide();
    assert.equal(it.decide(), 'yes');
    it.answer = async () => undefined;
    assert.equal(await it.decide('other'), undefined);
    assert.equal(it.decide('other') instanceof Promise, false);
    assert.equal(it.times, 2);
  });

  it('hold for ten seconds where nobody asks meanwhile', async () => {
    const it = new Asked();
    await it.decide();
    it.answer = async () => undefined;
    await it.decide('other');
    it.clock.advance(10_000);
    assert.equal(await it.decide(), undefined);
    it.answer = async () => ({ value: 'yes' });
    assert.equal(await it.decide('other'), 'yes');
  });

  it('are asked for anew behind the back of who calls all the time, so that a right taken away is gone in ten seconds', async () => {
    const it = new Asked();
    await it.decide();
    it.clock.advance(5_000);
    it.answer = async () => undefined;
    assert.equal(it.decide(), 'yes');
    await turn();
    assert.equal(it.decide(), undefined);
    assert.equal(it.times, 2);
  });

  it('that were a yes hold for ten minutes without the API server, and no longer', async () => {
    const it = new Asked();
    await it.decide();
    it.gone();
    it.clock.advance(10_000);
    assert.equal(await it.decide(), 'yes');
    it.clock.advance(10 * MINUTE - 10_001);
    assert.equal(it.decide(), 'yes');
    it.clock.advance(1);
    await assert.rejects(async () => await it.decide(), unavailable);
  });

  it('that were a no are no answer without the API server', async () => {
    const it = new Asked();
    it.answer = async () => undefined;
    await it.decide();
    it.gone();
    it.clock.advance(10_000);
    await assert.rejects(async () => await it.decide(), unavailable);
  });

  it('of a token that ends are no yes beyond its end, with and without the API server', async () => {
    const it = new Asked();
    it.answer = async () => ({ value: 'yes', expiresAt: Date.now() + 60_000 });
    await it.decide();
    it.gone();
    it.clock.advance(59_000);
    assert.equal(await it.decide(), 'yes');
    it.clock.advance(1_000);
    await assert.rejects(async () => await it.decide(), unavailable);
  });

  it('are asked for once a second in all while the API server is gone, and as before once it is back', async () => {
    const it = new Asked();
    await Promise.all([it.decide(), it.decide('other')]);
    it.gone();
    it.clock.advance(10_000);
    await it.decide();
    const before = it.times;
    for (let i = 0; i < 50; i++) assert.equal(it.decide(i % 2 === 0 ? 'key' : 'other'), 'yes');
    await assert.rejects(async () => await it.decide('new'), unavailable);
    assert.equal(it.times, before);
    it.clock.advance(1_000);
    it.answer = async () => ({ value: 'back' });
    assert.equal(it.decide(), 'yes');
    await turn();
    assert.deepEqual([it.decide(), await it.decide('new'), it.times], ['back', 'back', before + 2]);
  });

  it('that are a yes are not driven out by a flood of wrong tokens', async () => {
    const it = new Asked();
    await it.decide();
    it.answer = async () => undefined;
    for (let i = 0; i < 20_000; i++) await it.decide(`wrong ${i}`);
    assert.equal(it.decide(), 'yes');
  });

  describe('in a flood of unknown tokens', () => {
    const limited = { code: 'RATE_LIMITED', status: 429, retryable: true };

    /** Questions that the API server has not answered yet, and what each of them came to. */
    function flood(it: Asked, count: number) {
      const answers: (() => void)[] = [];
      it.answer = () => new Promise((resolve) => answers.push(() => resolve(undefined)));
      const asked = Array.from({ length: count }, async (_, i) => await it.decide(`wrong ${i}`));
      return { answers, settled: Promise.allSettled(asked) };
    }

    it('are asked for few at a time, and refused beyond those that may wait', async () => {
      const it = new Asked();
      const { answers, settled } = flood(it, AT_ONCE + WAITING);
      await turn();
      assert.equal(answers.length, AT_ONCE);
      await assert.rejects(async () => await it.decide('one too many'), limited);
      for (let i = 0; i < AT_ONCE + WAITING; i++) {
        answers[i]?.();
        await turn();
      }
      assert.ok((await settled).every(({ status }) => status === 'fulfilled'));
      assert.equal(it.times, AT_ONCE + WAITING);
      it.answer = async () => ({ value: 'yes' });
      assert.equal(await it.decide('one too many'), 'yes');
    });

    it('are asked for at once where a yes is there, and no outage for anybody', async () => {
      const it = new Asked();
      await it.decide();
      flood(it, AT_ONCE + WAITING);
      await assert.rejects(async () => await it.decide('one too many'), limited);
      it.answer = async () => ({ value: 'anew' });
      it.clock.advance(10_000);
      assert.equal(await it.decide(), 'anew');
    });

    it('are all answered once one shows that the API server is gone', async () => {
      const it = new Asked();
      const fail: (() => void)[] = [];
      it.answer = () => new Promise((_, reject) => fail.push(() => reject(new Error('no answer'))));
      const asked = Array.from({ length: AT_ONCE + WAITING }, async (_, i) => await it.decide(`new ${i}`));
      const settled = Promise.allSettled(asked);
      await turn();
      for (const each of fail) each();
      const codes = (await settled).map((each) => each.status === 'rejected' && (each.reason as { code: string }).code);
      assert.deepEqual(new Set(codes), new Set(['AGENT_UNAVAILABLE']));
      assert.equal(it.times, AT_ONCE);
    });
  });
});
