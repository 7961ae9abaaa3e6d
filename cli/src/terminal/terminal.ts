import { Keyboard } from './keyboard.ts';
import { fitsRow, lineTail } from './line-tail.ts';
import { PipedLines } from './piped-lines.ts';
import { type Completer, PromptLine } from './prompt-line.ts';
import type { ReadOptions, TerminalRead } from './terminal-read.ts';

export interface TerminalOptions {
  /** Newest first. */
  readonly history?: readonly string[];
  readonly completer?: Completer;
  readonly onRemembered?: (line: string) => void;
  /** Ctrl-C while nothing is being read. */
  readonly onInterrupt?: () => void;
  /** Nobody sees the output any more: the terminal was closed, or what read the pipe has ended. */
  readonly onHangUp?: () => void;
}

const interruptMark = '^C\n';

/** Lines from stdin, prompts and output on stdout and stderr; works with a terminal and with pipes. */
export class Terminal implements Disposable {
  readonly isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  readonly #options: TerminalOptions;
  #history: readonly string[];
  #keyboard: Keyboard | undefined;
  #piped: PipedLines | undefined;
  /** What is being typed just now. */
  #line: PromptLine | undefined;
  /** What stands on the cursor's row: a prompt redraws its row, so it has to bring this along. */
  #tail = '';

  constructor(options: TerminalOptions = {}) {
    this.#options = options;
    this.#history = options.history ?? [];
    const hangUp = (): void => options.onHangUp?.();
    process.stdout.on('error', hangUp);
    process.stderr.on('error', hangUp);
  }

  write(text: string): void {
    this.#write(process.stdout, text);
  }

  writeError(text: string): void {
    this.#write(process.stderr, text);
  }

  /** On a terminal, begins a new row unless one has just begun; what goes into a pipe stays as the code wrote it. */
  freshLine(): void {
    if (this.isInteractive && this.#tail !== '' && this.#line === undefined) this.write('\n');
  }

  read(options: ReadOptions): Promise<TerminalRead> {
    if (!this.isInteractive) {
      this.write(options.prompt);
      this.#piped ??= new PipedLines();
      return this.#piped.read(options);
    }
    if (options.signal?.aborted) return Promise.resolve({ kind: 'cancelled' });
    return this.#readKeys(options);
  }

  [Symbol.dispose](): void {
    this.#line?.[Symbol.dispose]();
    this.#keyboard?.[Symbol.dispose]();
    this.#piped?.[Symbol.dispose]();
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    if (!this.isInteractive || stream.isTTY !== true) {
      stream.write(text);
      return;
    }
    this.#line?.erase();
    // Erasing took the tail along.
    stream.write(this.#line === undefined ? text : this.#tail + text);
    this.#tail = lineTail(this.#tail, text);
    this.#drawLine();
  }

  #drawLine(): void {
    if (this.#line === undefined) return;
    this.#makeRoom();
    this.#line.draw(this.#tail);
  }

  /** A tail over several rows cannot be redrawn with the prompt. */
  #makeRoom(): void {
    if (fitsRow(this.#tail, process.stdout.columns)) return;
    process.stdout.write('\n');
    this.#tail = '';
  }

  #readKeys(options: ReadOptions): Promise<TerminalRead> {
    const { prompt, hidden = false, remembered = false, signal } = options;
    const keyboard = this.#openKeyboard();
    const last = prompt.lastIndexOf('\n') + 1;
    if (last > 0) this.write(prompt.slice(0, last));
    this.#makeRoom();
    return new Promise((resolve) => {
      const cancel = (): void => this.#line?.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      const done = (read: TerminalRead): void => {
        signal?.removeEventListener('abort', cancel);
        this.#line = undefined;
        this.#tail = '';
        if (read.kind === 'line' && remembered) this.#remember(read.text);
        resolve(read);
      };
      const completer = remembered ? this.#options.completer : undefined;
      const line = { keyboard, prompt: prompt.slice(last), hidden, history: this.#history, completer, done };
      this.#line = new PromptLine(line, this.#tail);
      this.#line.begin();
    });
  }

  #remember(line: string): void {
    if (line.trim() === '') return;
    this.#history = [line, ...this.#history.filter((other) => other !== line)];
    this.#options.onRemembered?.(line);
  }

  /** Once open it stays so until the end, and Ctrl-C is a key from then on. */
  #openKeyboard(): Keyboard {
    this.#keyboard ??= new Keyboard({
      interrupt: () => {
        if (this.#line !== undefined) {
          this.#line.interrupt(interruptMark);
          return;
        }
        this.write(interruptMark);
        this.#options.onInterrupt?.();
      },
      continued: () => this.#drawLine(),
    });
    return this.#keyboard;
  }
}
