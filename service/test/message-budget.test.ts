import assert from 'node:assert/strict';
import { MessageBudget } from '../src/message-budget.ts';

describe('the budget of a sender', () => {
  const take = (budget: MessageBudget, times: number, length: number, now: number): number =>
    Array.from({ length: times }, () => budget.take(length, now)).filter(Boolean).length;

  it('has a burst, and then its steady rate', () => {
    const budget = new MessageBudget({ perSecond: 10, burst: 5 }, 0);
    assert.equal(take(budget, 9, 0, 0), 5);
    assert.equal(take(budget, 9, 0, 300), 3);
    assert.equal(take(budget, 9, 0, 60_000), 5);
  });

  it('takes a long message for as many as it is long', () => {
    const budget = new MessageBudget({ perSecond: 10, burst: 5 }, 0);
    assert.equal(budget.take(5 * 1024 + 1, 0), false);
    assert.equal(budget.take(4 * 1024, 0), true);
    assert.equal(take(budget, 9, 1024, 0), 1);
  });
});
