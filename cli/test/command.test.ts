import assert from 'node:assert/strict';
import { commandOf, commandsLike, HELP } from '../src/repl/command.ts';
import { ExplicitTransaction } from '../src/repl/explicit-transaction.ts';

describe('a line at the prompt', () => {
  const commands: [string, object][] = [
    ['%begin', { name: 'begin' }],
    ['%commit  ', { name: 'commit' }],
    ['%rollback', { name: 'rollback' }],
    ['%help', { name: 'help' }],
    ['%undo', { name: 'undo', count: 1 }],
    ['%undo 12', { name: 'undo', count: 12 }],
    ['%fork\t3 ', { name: 'fork', count: 3 }],
    ['%undo all', { name: 'misused', usage: '%undo [N]' }],
    ['%undo 0', { name: 'misused', usage: '%undo [N]' }],
    ['%fork -1', { name: 'misused', usage: '%fork [N]' }],
    ['%fork 1 2', { name: 'misused', usage: '%fork [N]' }],
    ['%commit 1', { name: 'misused', usage: '%commit' }],
  ];
  for (const [line, command] of commands) {
    it(`is ${JSON.stringify(command)} as ${JSON.stringify(line)}`, () => assert.deepEqual(commandOf(line), command));
  }

  const python = ['', '%', '% begin', ' %begin', '%Begin', '%beginning', '%time x', '%toString', '5 %undo', '%undo\nx'];
  for (const line of python) {
    it(`is Python’s as ${JSON.stringify(line)}`, () => assert.equal(commandOf(line), undefined));
  }

  it('is a command in each line of the help, and is completed to one', () => {
    const named = HELP.match(/^%\w+/gm);
    assert.deepEqual(named, commandsLike('%'));
    for (const name of named ?? []) assert.ok(commandOf(name), name);
    assert.deepEqual(commandsLike('%ro'), ['%rollback']);
  });
});

describe('the transaction that was begun at the prompt', () => {
  const id = 'a';
  const told = (outcome: 'open' | 'committed' | 'rolled_back', of = id) => ({
    ...{ id: of, policy: 'explicit' as const, outcome, snapshot: 'fork' as const, costMs: 0, notRolledBack: [] },
  });

  it('has an id once something has run in it, and is over when that one is', () => {
    const transaction = new ExplicitTransaction();
    assert.deepEqual(transaction.request, {});
    transaction.begin();
    assert.deepEqual(transaction.request, { transaction: { policy: 'explicit' } });
    assert.equal(transaction.heard(told('open'), false), false);
    assert.equal(transaction.id, id);
    assert.equal(transaction.heard(told('committed', 'another'), false), false);
    assert.equal(transaction.heard(told('rolled_back'), false), true);
    assert.deepEqual([transaction.isBegun, transaction.id], [false, undefined]);
  });

  it('is over with the first execution of it, whose process died', () => {
    const transaction = new ExplicitTransaction();
    transaction.begin();
    assert.equal(transaction.heard(told('rolled_back'), false), false, 'it may be of one before');
    assert.equal(transaction.heard(told('rolled_back'), true), true);
    assert.equal(transaction.isBegun, false);
  });

  it('does not tell of an end that was asked for, and is there where that failed', async () => {
    const transaction = new ExplicitTransaction();
    transaction.begin();
    transaction.heard(told('open'), true);
    await assert.rejects(transaction.endBy(() => Promise.reject(new Error('the queue is full'))));
    assert.equal(transaction.isBegun, true);
    await transaction.endBy(async () => assert.equal(transaction.heard(told('committed'), false), false));
    assert.equal(transaction.isBegun, false);
  });
});
