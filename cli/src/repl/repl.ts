import type { Session, SessionEvent, Transaction } from '@replpool/protocol';
import { Conversation, type InputAnswer } from '../client/conversation.ts';
import { HttpClient } from '../client/http-client.ts';
import { CommandFailure, ExitCode, exitCodeOf, failureText } from '../failure.ts';
import { eventText } from '../outcome.ts';
import { endSignal } from '../signals.ts';
import type { Target } from '../target.ts';
import { Terminal } from '../terminal/terminal.ts';
import { commandOf, commandsLike } from './command.ts';
import { completionsOf } from './completion.ts';
import { ExplicitTransaction } from './explicit-transaction.ts';
import { appendHistory, historyFile, loadHistory } from './history.ts';
import { isIncomplete } from './incomplete.ts';
import { type At, runCommand } from './run-command.ts';

export interface ReplOptions {
  readonly target: Target;
  readonly pool?: string;
  readonly keepSnapshots?: number;
  /** The id of a session that is there; it is not ended. */
  readonly session?: string;
}

const first = '>>> ';
const further = '... ';

function show(terminal: Terminal, event: SessionEvent): void {
  if (event.type === 'stdout') terminal.write(event.data);
  else if (event.type === 'stderr') terminal.writeError(event.data);
  else if (event.type === 'result' || event.type === 'display' || event.type === 'update_display') {
    terminal.freshLine();
    terminal.write(`${event.data['text/plain'] ?? `<${Object.keys(event.data).join(', ')}>`}\n`);
  } else {
    const text = eventText(event);
    if (text === undefined) return;
    terminal.freshLine();
    terminal.writeError(text);
  }
}

/** Told where a transaction ends that nobody at the prompt has ended. */
function showEnd(terminal: Terminal, { outcome }: Transaction): void {
  terminal.freshLine();
  terminal.writeError(`replpool: the transaction is ${outcome.replace('_', ' ')}; what follows is in none\n`);
}

/** A prompt's state: the lines of an unfinished statement, and what runs. */
class Prompt {
  readonly terminal: Terminal;
  conversation: Conversation | undefined;
  #before = '';

  constructor() {
    const file = historyFile(process.env);
    this.terminal = new Terminal({
      history: loadHistory(file),
      onRemembered: (line) => appendHistory(file, line),
      onInterrupt: () => this.conversation?.interrupt(),
      onHangUp: () => this.giveUp(),
      completer: async (line) => {
        if (this.#before === '' && line.startsWith('%')) return [commandsLike(line), line];
        return completionsOf(this.#before, line, async (code, cursor) => this.conversation?.complete(code, cursor));
      },
    });
  }

  /** Ends everything, for nobody is there any more. */
  giveUp(): void {
    this.conversation?.giveUp(new CommandFailure(ExitCode.interrupted, 'ended'));
  }

  /** The next whole statement; empty after Ctrl-C, undefined at the end. */
  async statement(signal: AbortSignal): Promise<string | undefined> {
    const { terminal } = this;
    this.#before = '';
    for (;;) {
      terminal.freshLine();
      const prompt = terminal.isInteractive ? (this.#before === '' ? first : further) : '';
      const read = await terminal.read({ prompt, remembered: true, signal });
      if (read.kind === 'interrupt') {
        terminal.writeError('KeyboardInterrupt\n');
        return '';
      }
      if (read.kind === 'cancelled') return undefined;
      // Python, too, runs what stands there where the input ends within a statement.
      if (read.kind === 'end') return this.#before === '' ? undefined : this.#before;
      const source = this.#before + read.text;
      // Also where more is pasted behind it.
      if (commandOf(source) !== undefined) return source;
      if (!read.goesOn && !isIncomplete(source)) return source;
      this.#before = `${source}\n`;
    }
  }

  /** What a pending `input()` gets. */
  async answer(prompt: string, hidden: boolean, signal: AbortSignal): Promise<InputAnswer> {
    const read = await this.terminal.read({ prompt, hidden, signal });
    if (read.kind === 'line') return { value: read.text };
    if (read.kind === 'interrupt') this.conversation?.interrupt();
    return read.kind === 'end' ? { eof: true } : undefined;
  }
}

/** A refused execution (too large, queue full) leaves the prompt there; anything else ends it. */
async function runOne({ conversation, transaction, terminal }: At, source: string): Promise<void> {
  try {
    const { transaction: its } = await conversation.execute(source, transaction.request);
    if (its !== undefined && transaction.heard(its, true)) showEnd(terminal, its);
  } catch (error) {
    if (!(error instanceof CommandFailure) || exitCodeOf(error) !== ExitCode.wrongUse) throw error;
    terminal.writeError(failureText(error));
  }
}

/** What the session's code takes for the window; it has no terminal that it could ask. */
function windowSize(): Record<string, string> {
  return { COLUMNS: String(process.stdout.columns), LINES: String(process.stdout.rows) };
}

async function sessionOf(http: HttpClient, options: ReplOptions, isInteractive: boolean): Promise<Session> {
  const { session, pool, keepSnapshots } = options;
  if (session !== undefined) return await http.session(session);
  return await http.createSession({
    ...(pool !== undefined && { pool }),
    ...(keepSnapshots !== undefined && { keepSnapshots }),
    ...(isInteractive && { env: windowSize() }),
  });
}

/** `replpool repl`: a prompt, until Ctrl-D, on a session of its own or on one that is there. */
export async function repl(options: ReplOptions): Promise<ExitCode> {
  const http = new HttpClient(options.target);
  const prompt = new Prompt();
  using terminal = prompt.terminal;
  const session = await sessionOf(http, options, terminal.isInteractive);
  const transaction = new ExplicitTransaction();
  await using scope = new AsyncDisposableStack();
  const conversation = await Conversation.open(
    options.target,
    http,
    session,
    {
      event: (event) => {
        show(terminal, event);
        if (event.type === 'transaction' && transaction.heard(event.transaction, false)) {
          showEnd(terminal, event.transaction);
        }
      },
      input: (request, signal) => prompt.answer(request.prompt, request.password, signal),
      notice: (text) => terminal.writeError(`replpool: ${text}\n`),
    },
    { isKept: options.session !== undefined },
  );
  prompt.conversation = conversation;
  // With a terminal, Ctrl-C is a key and not a signal; SIGINT then comes from elsewhere and interrupts all the same.
  const interrupt = (): void => conversation.interrupt();
  process.on('SIGINT', interrupt);
  scope.defer(() => void process.off('SIGINT', interrupt));
  const end = scope.use(endSignal(['SIGTERM', 'SIGHUP']));
  // Ends before the signals do: one that comes twice (terminal and bin/replpool.mjs) must not cut the deletion of the session short.
  scope.use(conversation);
  end.signal.addEventListener('abort', () => prompt.giveUp());
  if (terminal.isInteractive) {
    const keys = 'Ctrl-C interrupts, Ctrl-D leaves, %help shows what else there is.';
    terminal.write(`ReplPool session ${session.id} in pool ${session.pool}. ${keys}\n`);
  }
  const at: At = { conversation, transaction, terminal };
  for (;;) {
    const source = await prompt.statement(conversation.failed);
    conversation.failed.throwIfAborted();
    if (source === undefined) {
      if (transaction.id !== undefined && options.session !== undefined) {
        terminal.writeError('replpool: the transaction is still open in the session\n');
      }
      return ExitCode.ok;
    }
    const command = commandOf(source);
    if (command !== undefined) await runCommand(command, at);
    else if (source.trim() !== '') await runOne(at, source);
  }
}
