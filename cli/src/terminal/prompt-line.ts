import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { PassThrough, Writable } from 'node:stream';
import { hiddenText } from './hidden-text.ts';
import { isCtrl, type Keyboard, type Typed } from './keyboard.ts';
import { pasteOff, pasteOn } from './paste.ts';
import type { TerminalRead } from './terminal-read.ts';

export type Completer = (line: string) => Promise<[string[], string]>;

export interface PromptLineOptions {
  readonly keyboard: Keyboard;
  readonly prompt: string;
  readonly hidden: boolean;
  /** Newest first. */
  readonly history: readonly string[];
  readonly completer: Completer | undefined;
  readonly done: (read: TerminalRead) => void;
}

const out = process.stdout;

/**
 * One line that is being typed behind a prompt. Readline edits it, with an input that never says anything: keys are given to it one by one,
 * so that none goes to a line that is over.
 */
export class PromptLine implements Disposable {
  readonly #options: PromptLineOptions;
  readonly #lines: Interface;
  #hidden = '';
  #isOver = false;
  #rowsToGoUp = 0;

  /** `tail` is what stands before the prompt on its row. */
  constructor(options: PromptLineOptions, tail: string) {
    this.#options = options;
    const { completer } = options;
    const output = screen();
    this.#lines = createInterface({
      input: new PassThrough(),
      output,
      terminal: true,
      historySize: options.history.length + 1,
      history: [...options.history],
      ...(completer === undefined ? {} : { completer: this.#completer(completer) }),
    });
    this.#lines.on('line', (text) => this.#end({ kind: 'line', text, goesOn: false }));
    const resize = (): void => void output.emit('resize');
    out.on('resize', resize);
    this.#lines.once('close', () => out.off('resize', resize));
    out.write(pasteOn);
    this.draw(tail);
  }

  /** Takes keys, from now until the line is over. */
  begin(): void {
    this.#options.keyboard.give((typed) => this.#typed(typed));
  }

  /** Makes room for output: prompt and text leave the screen. */
  erase(): void {
    moveCursor(out, 0, -this.#lines.getCursorPos().rows);
    cursorTo(out, 0);
    clearScreenDown(out);
    // Readline believes that it still stands that many rows below the prompt's first one, and goes up by them.
    this.#rowsToGoUp = this.#lines.getCursorPos().rows;
  }

  draw(tail: string): void {
    out.write('\n'.repeat(this.#rowsToGoUp));
    this.#rowsToGoUp = 0;
    this.#lines.setPrompt(tail + this.#options.prompt);
    this.#lines.prompt(true);
  }

  /** Ends it from outside, with the cursor behind its text. */
  interrupt(mark: string): void {
    this.#toEnd();
    out.write(mark);
    this.#end({ kind: 'interrupt' });
  }

  cancel(): void {
    this.#toEnd();
    out.write('\n');
    this.#end({ kind: 'cancelled' });
  }

  [Symbol.dispose](): void {
    if (!this.#isOver) this.cancel();
  }

  #toEnd(): void {
    this.#lines.write(null, { ctrl: true, name: 'e' });
  }

  #end(read: TerminalRead): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.keyboard.give(undefined);
    this.#lines.close();
    out.write(pasteOff);
    this.#options.done(read);
  }

  #typed(typed: Typed): void {
    if (typed.kind === 'end') {
      this.#end({ kind: 'end' });
    } else if (typed.kind === 'pasted') {
      this.#insert(typed.text);
      if (typed.goesOn) this.#enter(true);
    } else if (isCtrl(typed.key, 'd') && this.#lines.line === '' && this.#hidden === '') {
      out.write('\n');
      this.#end({ kind: 'end' });
    } else if (!this.#options.hidden) {
      this.#lines.write(typed.text, typed.key);
    } else if (typed.key.name === 'return' || typed.key.name === 'enter') {
      this.#enter(false);
    } else {
      this.#hidden = hiddenText(this.#hidden, typed);
    }
  }

  #insert(text: string): void {
    if (this.#options.hidden) this.#hidden += text;
    else this.#lines.write(text);
  }

  #enter(goesOn: boolean): void {
    const text = this.#options.hidden ? this.#hidden : this.#lines.line;
    this.#toEnd();
    out.write('\n');
    this.#end({ kind: 'line', text, goesOn });
  }

  #completer(completer: Completer): (line: string, done: CompleterDone) => void {
    const { keyboard } = this.#options;
    return (line, done) => {
      const answer = (result: [string[], string]): void => {
        // A readline that was closed meanwhile (Ctrl-C) throws when it is answered.
        if (this.#isOver) return;
        done(null, result);
        // Readline inserts it in a microtask.
        setImmediate(() => {
          if (!this.#isOver) keyboard.release();
        });
      };
      keyboard.hold();
      completer(line).then(answer, () => answer([[], line]));
    };
  }
}

type CompleterDone = (error: Error | null, result: [string[], string]) => void;

/** stdout, for one readline: it leaves its listeners on what it is given. */
function screen(): Writable {
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      out.write(chunk);
      done();
    },
  });
  Object.defineProperty(stream, 'columns', { get: () => out.columns });
  Object.defineProperty(stream, 'isTTY', { value: true });
  return stream;
}
