import assert from 'node:assert/strict';
import { Followed } from '../src/index.ts';

/** A source that a test sets, and how often it was looked at. */
class Source {
  looks = 0;
  readonly failures: string[] = [];
  readonly changes: string[] = [];
  now: string | Error = 'first';

  open(): Promise<Followed<string>> {
    return Followed.open<string>({
      read: async () => {
        this.looks += 1;
        if (typeof this.now === 'string') return this.now;
        throw this.now;
      },
      isSame: (before, now) => before === now,
      changed: (now) => this.changes.push(now),
      failed: (error) => this.failures.push(String(error)),
      lookMs: 1,
    });
  }

  /** Resolves after so many looks that began from now on are over. */
  async looked(times: number): Promise<void> {
    const until = this.looks + times + 1;
    while (this.looks < until) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe('what is followed', () => {
  it('is told when it changes, once however often it is looked at', async () => {
    const source = new Source();
    using followed = await source.open();
    source.now = 'second';
    await source.looked(5);
    assert.deepEqual([source.changes, followed.value], [['second'], 'second']);
  });

  it('stays as it was where the new is of no use, and each cause is told once, again after a good one', async () => {
    const source = new Source();
    using followed = await source.open();
    for (const cause of ['broken', 'gone', 'broken']) {
      source.now = new Error(cause);
      await source.looked(5);
      assert.equal(followed.value, 'first');
    }
    source.now = 'first';
    await source.looked(2);
    source.now = new Error('broken');
    await source.looked(5);
    assert.deepEqual(source.failures, ['Error: broken', 'Error: gone', 'Error: broken', 'Error: broken']);
    assert.deepEqual(source.changes, []);
  });

  it('is no start where it is of no use from the beginning', async () => {
    const source = new Source();
    source.now = new Error('broken');
    await assert.rejects(source.open(), /broken/);
  });
});
