import assert from 'node:assert/strict';
import type { Session } from '@replpool/protocol';
import { pageOf } from '../src/index.ts';

const session = (n: number, labels: Record<string, string> = {}, pool = 'team:data'): Session =>
  ({
    id: `00000000-0000-4000-8000-00000000000${n}`,
    pool,
    labels,
    // Two of each time: the id decides between them.
    createdAt: new Date(Date.UTC(2026, 0, 1) + Math.floor(n / 2)).toISOString(),
  }) as Session;
const numbers = (items: readonly Session[]): string => items.map(({ id }) => id.at(-1)).join('');

describe('a page of sessions', () => {
  it('goes on where the last one ended, in the order of creation', () => {
    const all = [5, 3, 1, 0, 2, 4].map((n) => session(n));
    let seen = '';
    let next: string | undefined;
    do {
      const page = pageOf(all, { limit: 2, ...(next !== undefined && { continue: next }) });
      seen += numbers(page.items);
      next = page.continue;
    } while (next !== undefined);
    assert.equal(seen, '012345');
  });

  it('has the sessions of the pool, by either of its names, and of all labels', () => {
    const all = [session(0, { a: '1', b: '2' }), session(1, { a: '1' }), session(2, { a: '1', b: '2' }, 'other')];
    assert.equal(numbers(pageOf(all, { pool: 'data', label: ['a=1', 'b=2'] }).items), '0');
    assert.equal(numbers(pageOf(all, { pool: 'team:data' }).items), '01');
    assert.equal(numbers(pageOf(all, { label: 'constructor=x' }).items), '');
  });

  it('refuses a token that no list gave', () => {
    for (const token of ['nonsense', '', Buffer.from('["a"]').toString('base64url')]) {
      assert.throws(() => pageOf([], { continue: token }), { code: 'INVALID_REQUEST' });
    }
  });
});
