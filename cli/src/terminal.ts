import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

export type TerminalRead =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'cancelled' };

export interface ReadOptions {
  readonly prompt: string;
  readonly hidden?: boolean;
  /** Into the history; answers to `input()` do not belong there. */
  readonly remembered?: boolean;
  readonly signal?: AbortSignal;
}

export interface TerminalOptions {
  readonly history?: readonly string[];
  readonly completer?: (line: string) => Promise<[string[], string]>;
  readonly onHistory?: (history: readonly string[]) => void;
  /** Ctrl-C while nothing is being read. */
  readonly onInterrupt?: () => void;
}

const longestTail = 1_000;

/** Lines from stdin, prompts and output on stdout; works with a terminal and with pipes. */
export class Terminal implements Disposable {
  readonly isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  readonly #options: TerminalOptions;
  readonly #typedAhead: string[] = [];
  #interface: Interface | undefined;
  #waiting: ((read: TerminalRead) => void) | undefined;
  #remembers = false;
  #isMuted = false;
  #isAtEnd = false;
  /** What stands on the current line of output: a prompt redraws its line, so it has to bring this along. */
  #tail = '';

  constructor(options: TerminalOptions = {}) {
    this.#options = options;
  }

  write(text: string): void {
    process.stdout.write(text);
    const line = text.lastIndexOf('\n');
    this.#tail = (line < 0 ? this.#tail + text : text.slice(line + 1)).slice(-longestTail);
  }

  /** Begins a new line unless one has just begun. */
  freshLine(): void {
    if (this.#tail !== '') this.write('\n');
  }

  read(options: ReadOptions): Promise<TerminalRead> {
    const lines = this.#open();
    const ahead = this.#typedAhead.shift();
    this.#prompt(lines, options);
    if (ahead !== undefined) return Promise.resolve({ kind: 'line', text: ahead });
    if (this.#isAtEnd) return Promise.resolve({ kind: 'end' });
    if (options.signal?.aborted) return Promise.resolve({ kind: 'cancelled' });
    return new Promise((resolve) => {
      const cancel = (): void => this.#settle({ kind: 'cancelled' });
      options.signal?.addEventListener('abort', cancel, { once: true });
      this.#remembers = options.remembered ?? false;
      this.#waiting = (read) => {
        options.signal?.removeEventListener('abort', cancel);
        resolve(read);
      };
    });
  }

  [Symbol.dispose](): void {
    this.#settle({ kind: 'end' });
    this.#interface?.close();
  }

  #prompt(lines: Interface, { prompt, hidden = false }: ReadOptions): void {
    if (!this.isInteractive) {
      this.write(prompt);
      return;
    }
    const end = prompt.lastIndexOf('\n') + 1;
    if (end > 0) this.write(prompt.slice(0, end));
    lines.setPrompt(this.#tail + prompt.slice(end));
    lines.prompt();
    this.#isMuted = hidden;
  }

  #settle(read: TerminalRead): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#isMuted) {
      this.#isMuted = false;
      process.stdout.write('\n');
    }
    this.#tail = '';
    this.#remembers = false;
    waiting?.(read);
  }

  #open(): Interface {
    if (this.#interface !== undefined) return this.#interface;
    const { completer, history, onHistory } = this.#options;
    const lines = createInterface({
      input: process.stdin,
      output: this.isInteractive ? this.#screen() : process.stdout,
      terminal: this.isInteractive,
      historySize: 1_000,
      removeHistoryDuplicates: true,
      ...(history === undefined ? {} : { history: [...history] }),
      ...(completer === undefined
        ? {}
        : {
            completer: (line: string, done: (error: Error | null, result: [string[], string]) => void): void => {
              completer(line).then(
                (result) => done(null, result),
                () => done(null, [[], line]),
              );
            },
          }),
    });
    lines.on('line', (text) => {
      if (this.#waiting === undefined) this.#typedAhead.push(text);
      else this.#settle({ kind: 'line', text });
    });
    lines.on('history', (entries: string[]) => {
      if (!this.#remembers) entries.shift();
      else onHistory?.(entries);
    });
    lines.on('SIGINT', () => {
      lines.write(null, { ctrl: true, name: 'e' });
      lines.write(null, { ctrl: true, name: 'u' });
      process.stdout.write('^C\n');
      if (this.#waiting === undefined) this.#options.onInterrupt?.();
      else this.#settle({ kind: 'interrupt' });
    });
    lines.on('close', () => {
      this.#isAtEnd = true;
      if (this.#waiting !== undefined) this.#settle({ kind: 'end' });
    });
    this.#interface = lines;
    return lines;
  }

  /** stdout that shows nothing of what is typed while a password is. */
  #screen(): Writable {
    const screen = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#isMuted) process.stdout.write(chunk);
        done();
      },
    });
    Object.defineProperty(screen, 'columns', { get: () => process.stdout.columns });
    Object.defineProperty(screen, 'isTTY', { value: true });
    process.stdout.on('resize', () => screen.emit('resize'));
    return screen;
  }
}
