import type { SessionEvent } from '@replpool/protocol';
import { Conversation, type InputAnswer } from '../client/conversation.ts';
import { HttpClient } from '../client/http-client.ts';
import { CommandFailure, ExitCode, exitCodeOf, failureText } from '../failure.ts';
import { errorText, sessionText } from '../outcome.ts';
import { endSignal } from '../signals.ts';
import type { Target } from '../target.ts';
import { Terminal } from '../terminal.ts';
import { completionsOf } from './completion.ts';
import { historyFile, loadHistory, saveHistory } from './history.ts';
import { isIncomplete } from './incomplete.ts';

export interface ReplOptions {
  readonly target: Target;
  readonly pool?: string;
}

const first = '>>> ';
const further = '... ';

function show(terminal: Terminal, event: SessionEvent): void {
  if (event.type === 'stdout') terminal.write(event.data);
  else if (event.type === 'stderr') process.stderr.write(event.data);
  else if (event.type === 'result' || event.type === 'display' || event.type === 'update_display') {
    terminal.write(`${event.data['text/plain'] ?? `<${Object.keys(event.data).join(', ')}>`}\n`);
  } else if (event.type === 'error') {
    terminal.freshLine();
    process.stderr.write(errorText(event.error));
  } else if (event.type === 'warning') process.stderr.write(`replpool: ${event.message} (${event.code})\n`);
  else if (event.type === 'gap')
    process.stderr.write(`replpool: output is missing here (events ${event.from} to ${event.to})\n`);
  else if (event.type === 'session') process.stderr.write(sessionText(event) ?? '');
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
      onHistory: (history) => saveHistory(file, history),
      onInterrupt: () => this.conversation?.interrupt(),
      completer: (line) =>
        completionsOf(this.#before, line, async (code, cursor) => this.conversation?.complete(code, cursor)),
    });
  }

  /** The next whole statement; empty after Ctrl-C, undefined at the end. */
  async statement(signal: AbortSignal): Promise<string | undefined> {
    const { terminal } = this;
    this.#before = '';
    for (;;) {
      terminal.freshLine();
      const prompt = terminal.isInteractive ? (this.#before === '' ? first : further) : '';
      const read = await terminal.read({ prompt, remembered: true, signal });
      if (read.kind === 'interrupt') return '';
      if (read.kind !== 'line') return this.#before === '' || terminal.isInteractive ? undefined : this.#before;
      const source = this.#before + read.text;
      if (!isIncomplete(source)) return source;
      this.#before = `${source}\n`;
    }
  }

  async answer(prompt: string, hidden: boolean, signal: AbortSignal): Promise<InputAnswer> {
    const read = await this.terminal.read({ prompt, hidden, signal });
    if (read.kind === 'line') return { value: read.text };
    if (read.kind === 'interrupt') this.conversation?.interrupt();
    return read.kind === 'end' ? { eof: true } : undefined;
  }
}

/** A refused execution (too large, queue full) leaves the prompt there; anything else ends it. */
async function runOne(conversation: Conversation, source: string): Promise<void> {
  try {
    await conversation.execute(source);
  } catch (error) {
    if (!(error instanceof CommandFailure) || exitCodeOf(error) !== ExitCode.wrongUse) throw error;
    process.stderr.write(failureText(error));
  }
}

/** `replpool repl`: a prompt on a session of its own, until Ctrl-D. */
export async function repl(options: ReplOptions): Promise<ExitCode> {
  const http = new HttpClient(options.target);
  const session = await http.createSession(options.pool === undefined ? {} : { pool: options.pool });
  const prompt = new Prompt();
  using terminal = prompt.terminal;
  await using conversation = await Conversation.open(options.target, http, session, {
    event: (event) => show(terminal, event),
    input: (request, signal) => prompt.answer(request.prompt, request.password, signal),
  });
  prompt.conversation = conversation;
  // With a terminal, Ctrl-C is a key and not a signal; SIGINT then comes from elsewhere and interrupts all the same.
  const interrupt = (): void => conversation.interrupt();
  process.on('SIGINT', interrupt);
  using end = endSignal(['SIGTERM', 'SIGHUP']);
  end.signal.addEventListener('abort', () => conversation.giveUp(new CommandFailure(ExitCode.interrupted, 'ended')));
  if (terminal.isInteractive) {
    terminal.write(`ReplPool session ${session.id} in pool ${session.pool}. Ctrl-C interrupts, Ctrl-D leaves.\n`);
  }
  for (;;) {
    const source = await prompt.statement(end.signal);
    if (source === undefined) break;
    if (source.trim() !== '') await runOne(conversation, source);
  }
  if (terminal.isInteractive) terminal.write('\n');
  process.off('SIGINT', interrupt);
  return ExitCode.ok;
}
