import type { Conversation } from '../client/conversation.ts';
import { CommandFailure, failureText, wrongUse } from '../failure.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type Command, HELP } from './command.ts';
import type { ExplicitTransaction } from './explicit-transaction.ts';

/** What commands are about. */
export interface At {
  readonly conversation: Conversation;
  readonly transaction: ExplicitTransaction;
  readonly terminal: Terminal;
}

/** Does what the command says; one that fails leaves the prompt there. */
export async function runCommand(command: Command, at: At): Promise<void> {
  try {
    await done(command, at);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    at.terminal.writeError(failureText(error));
  }
}

async function done(command: Command, { conversation, transaction, terminal }: At): Promise<void> {
  const say = (text: string): void => terminal.writeError(`replpool: ${text}\n`);
  switch (command.name) {
    case 'begin':
      if (transaction.isBegun) throw wrongUse('a transaction is open already', '%commit or %rollback ends it');
      transaction.begin();
      return say('what follows is in a transaction, until %commit or %rollback');
    case 'commit':
    case 'rollback':
      return say(await ended(command.name, conversation, transaction));
    case 'undo': {
      const { executions, costMs, notRolledBack } = await conversation.undo(command.count);
      return say(`undone: ${counted(executions.length)} ${took(costMs)}${left(notRolledBack)}`);
    }
    case 'fork':
      for (const { id } of await conversation.fork(command.count)) terminal.write(`${id}\n`);
      return;
    case 'help':
      return terminal.write(HELP);
    case 'misused':
      throw wrongUse(`that is written ${command.usage}`, '%help shows what there is');
  }
}

/** @returns what became of it */
async function ended(
  how: 'commit' | 'rollback',
  conversation: Conversation,
  transaction: ExplicitTransaction,
): Promise<string> {
  const { isBegun, id } = transaction;
  if (isBegun && id === undefined) {
    transaction.end();
    return 'the transaction has ended, nothing ran in it';
  }
  const answer = transaction.endBy(() => conversation.endTransaction(how, id));
  const { outcome, reason, costMs, notRolledBack } = await answer.catch((error: unknown) => {
    if (error instanceof CommandFailure && error.code === 'NO_TRANSACTION') transaction.end();
    throw error;
  });
  if (outcome === 'rolled_back') return `rolled back ${took(costMs)}${left(notRolledBack)}`;
  return how === 'commit' ? 'committed' : `kept all the same: ${reason ?? 'the snapshot is lost'}`;
}

const counted = (count: number): string => (count === 1 ? '1 statement' : `${count} statements`);
const took = (ms: number): string => `(${ms.toFixed(1)} ms)`;
const left = (items: readonly string[]): string => (items.length === 0 ? '' : `; not undone: ${items.join(', ')}`);
