import { createInterface, type Interface } from 'node:readline';
import type { ReadOptions, TerminalRead } from './terminal-read.ts';

/** Lines of a stdin that is no terminal. */
export class PipedLines implements Disposable {
  readonly #lines: Interface;
  readonly #ahead: string[] = [];
  #waiting: ((read: TerminalRead) => void) | undefined;
  #isAtEnd = false;

  constructor() {
    this.#lines = createInterface({ input: process.stdin, terminal: false });
    this.#lines.on('line', (text) => {
      if (this.#waiting === undefined) this.#ahead.push(text);
      else this.#settle({ kind: 'line', text, goesOn: false });
    });
    this.#lines.on('close', () => {
      this.#isAtEnd = true;
      this.#settle({ kind: 'end' });
    });
  }

  read({ signal }: ReadOptions): Promise<TerminalRead> {
    if (signal?.aborted) return Promise.resolve({ kind: 'cancelled' });
    const text = this.#ahead.shift();
    if (text !== undefined) return Promise.resolve({ kind: 'line', text, goesOn: false });
    if (this.#isAtEnd) return Promise.resolve({ kind: 'end' });
    return new Promise((resolve) => {
      const cancel = (): void => this.#settle({ kind: 'cancelled' });
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiting = (read) => {
        signal?.removeEventListener('abort', cancel);
        resolve(read);
      };
    });
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }

  #settle(read: TerminalRead): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(read);
  }
}
