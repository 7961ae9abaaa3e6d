import { emitKeypressEvents, type Key } from 'node:readline';
import { type PastedLine, pastedLines } from './paste.ts';

export type Typed =
  | { readonly kind: 'key'; readonly text: string | undefined; readonly key: Key }
  | ({ readonly kind: 'pasted' } & PastedLine)
  | { readonly kind: 'end' };

export interface KeyboardListener {
  /** Ctrl-C, at once, whatever was typed before. */
  interrupt(): void;
  /** The process was stopped with Ctrl-Z and goes on: the screen shows something else now. */
  continued(): void;
}

const end: Typed = { kind: 'end' };

/** Whether this is Ctrl and the letter. */
export function isCtrl(key: Key, letter: string): boolean {
  return key.ctrl === true && key.meta !== true && key.name === letter;
}

/**
 * The keys of a terminal in raw mode. While nobody takes them they are kept and not echoed: typed while code runs, they appear behind the
 * next prompt and not within the code's output.
 */
export class Keyboard implements Disposable {
  readonly #listener: KeyboardListener;
  readonly #kept: Typed[] = [];
  #take: ((typed: Typed) => void) | undefined;
  #pasted: string | undefined;
  #isHeld = false;
  #isAtEnd = false;
  readonly #onKey = (text: string | undefined, key: Key): void => this.#key(text, key);
  readonly #onEnd = (): void => {
    this.#isAtEnd = true;
    this.#drain();
  };
  readonly #onContinue = (): void => this.#continue();

  constructor(listener: KeyboardListener) {
    this.#listener = listener;
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    // A terminal that was closed answers with EIO, from now on and on every occasion: no error to end by, only the end.
    process.stdin.on('keypress', this.#onKey).on('end', this.#onEnd).on('error', this.#onEnd).resume();
    process.on('SIGCONT', this.#onContinue);
  }

  /** From now on `take` gets every key, those that were kept first, until it is given no more. */
  give(take: ((typed: Typed) => void) | undefined): void {
    this.#take = take;
    this.#isHeld = false;
    this.#drain();
  }

  /** Keeps the keys until released: a completion is on its way and must not land behind what is typed meanwhile. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#drain();
  }

  [Symbol.dispose](): void {
    this.#take = undefined;
    process.stdin.off('keypress', this.#onKey).off('end', this.#onEnd).pause();
    process.off('SIGCONT', this.#onContinue);
    process.stdin.setRawMode(false);
  }

  #add(...typed: Typed[]): void {
    this.#kept.push(...typed);
    this.#drain();
  }

  #drain(): void {
    while (this.#take !== undefined && !this.#isHeld) {
      const typed = this.#kept.shift() ?? (this.#isAtEnd ? end : undefined);
      if (typed === undefined) return;
      this.#take(typed);
    }
  }

  #key(text: string | undefined, key: Key): void {
    if (isCtrl(key, 'c')) {
      this.#pasted = undefined;
      this.#kept.length = 0;
      this.#isHeld = false;
      this.#listener.interrupt();
    } else if (key.name === 'paste-start') {
      this.#pasted = '';
    } else if (key.name === 'paste-end') {
      const lines = pastedLines(this.#pasted ?? '');
      this.#pasted = undefined;
      this.#add(...lines.map((line) => ({ kind: 'pasted' as const, ...line })));
    } else if (this.#pasted !== undefined) {
      this.#pasted += key.sequence ?? text ?? '';
    } else if (isCtrl(key, 'z')) {
      this.#suspend();
    } else {
      this.#add({ kind: 'key', text, key });
    }
  }

  #suspend(): void {
    process.stdin.setRawMode(false);
    // The whole group, as the terminal itself would: the shell waits for bin/replpool.mjs or npm, not for this process.
    process.kill(0, 'SIGTSTP');
    // Where there is no shell with job control, nothing stops and no SIGCONT comes.
    setImmediate(this.#onContinue);
  }

  #continue(): void {
    // The shell has set the mode itself, behind Node.js's back, which would take the same mode again for nothing to do.
    process.stdin.setRawMode(false);
    process.stdin.setRawMode(true);
    this.#listener.continued();
  }
}
