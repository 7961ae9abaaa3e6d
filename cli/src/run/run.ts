import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { SessionEvent } from '@replpool/protocol';
import { Conversation, type InputAnswer } from '../client/conversation.ts';
import { HttpClient } from '../client/http-client.ts';
import { CommandFailure, ExitCode, wrongUse } from '../failure.ts';
import { eventText, exitCodeOfOutcome } from '../outcome.ts';
import { watchParent } from '../signals.ts';
import type { Target } from '../target.ts';
import { Terminal } from '../terminal/terminal.ts';

export interface RunOptions {
  /** A path, or `-` for stdin. */
  readonly code: string;
  readonly files: readonly string[];
  readonly target: Target;
  readonly pool?: string;
  readonly timeout?: number;
}

/** A client that was killed leaves its session to this. */
const idleTimeoutSeconds = 60;
/** One Ctrl-C may arrive twice (terminal and npm); a second one after this long means it. */
const repeatedAfterMs = 500;

async function readInput(path: string): Promise<Buffer<ArrayBuffer>> {
  try {
    return await readFile(path);
  } catch (error) {
    throw wrongUse(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, undefined, error);
  }
}

/** Output as it comes, errors to stderr; results are not printed, as with `python FILE`. */
function show(terminal: Terminal, event: SessionEvent): void {
  if (event.type === 'stdout') terminal.write(event.data);
  else if (event.type === 'stderr') terminal.writeError(event.data);
  else if (event.type === 'display' || event.type === 'update_display') terminal.write(`${event.data['text/plain']}\n`);
  else terminal.writeError(eventText(event) ?? '');
}

/** Passes Ctrl-C on as an interrupt; the second one, SIGTERM and the parent's death end the run. */
function forwardSignals(conversation: Conversation): Disposable {
  const giveUp = (): void => conversation.giveUp(new CommandFailure(ExitCode.interrupted, 'given up'));
  let interruptedAt: number | undefined;
  const interrupt = (): void => {
    const now = performance.now();
    if (interruptedAt !== undefined && now - interruptedAt > repeatedAfterMs) {
      giveUp();
      return;
    }
    interruptedAt ??= now;
    conversation.interrupt();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', giveUp).on('SIGHUP', giveUp);
  const parent = watchParent(giveUp);
  return {
    [Symbol.dispose]() {
      process.off('SIGINT', interrupt).off('SIGTERM', giveUp).off('SIGHUP', giveUp);
      parent[Symbol.dispose]();
    },
  };
}

/** `replpool run`: the code in a session of its own, which is deleted at the end. */
export async function run(options: RunOptions): Promise<ExitCode> {
  const fromStdin = options.code === '-';
  const code = fromStdin ? await text(process.stdin) : (await readInput(options.code)).toString('utf8');
  const files = await Promise.all(
    options.files.map(async (path) => ({ name: basename(path), content: await readInput(path) })),
  );
  const http = new HttpClient(options.target);
  const session = await http.createSession({
    idleTimeoutSeconds,
    ...(options.pool === undefined ? {} : { pool: options.pool }),
  });
  let interrupt = (): void => undefined;
  let hangUp = (): void => undefined;
  using terminal = new Terminal({ onInterrupt: () => interrupt(), onHangUp: () => hangUp() });

  const answer = async (prompt: string, hidden: boolean, signal: AbortSignal): Promise<InputAnswer> => {
    // stdin was the code, and is at its end.
    if (fromStdin) return { eof: true };
    const read = await terminal.read({ prompt, hidden, signal });
    if (read.kind === 'line') return { value: read.text };
    if (read.kind === 'interrupt') interrupt();
    return read.kind === 'end' ? { eof: true } : undefined;
  };
  await using scope = new AsyncDisposableStack();
  const conversation = await Conversation.open(options.target, http, session, {
    event: (event) => show(terminal, event),
    input: (request, signal) => answer(request.prompt, request.password, signal),
    notice: (text) => terminal.writeError(`replpool: ${text}\n`),
  });
  interrupt = () => void process.emit('SIGINT');
  hangUp = () => conversation.giveUp(new CommandFailure(ExitCode.interrupted, 'nobody reads the output any more'));
  scope.use(forwardSignals(conversation));
  // Ends before the signals do, see repl.
  scope.use(conversation);
  for (const file of files) await http.putFile(session.id, file.name, file.content);
  const outcome = await conversation.execute(code, {
    ...(options.timeout !== undefined && { timeoutSeconds: options.timeout }),
  });
  if (outcome.status === 'timeout' && outcome.error === undefined) {
    process.stderr.write('replpool: the code took longer than its time limit; --timeout SECONDS gives it more\n');
  }
  return exitCodeOfOutcome(outcome.status);
}
