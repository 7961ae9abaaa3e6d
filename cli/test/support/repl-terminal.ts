import { keys, PseudoTerminal } from './pseudo-terminal.ts';

export interface ReplOptions {
  readonly url: string;
  /** HOME: the history is kept below. */
  readonly home: string;
  readonly columns?: number;
  /** Further arguments of the command. */
  readonly args?: readonly string[];
}

/** A person at `replpool repl`. */
export class ReplTerminal extends PseudoTerminal {
  static async start({ url, home, columns = 80, args = [] }: ReplOptions): Promise<ReplTerminal> {
    const env = { HOME: home, XDG_STATE_HOME: '' };
    const repl = new ReplTerminal(['repl', '--url', url, ...args], { env, columns });
    await repl.lastLine('>>>');
    return repl;
  }

  /** Types a line behind `prompt`, and Enter once it is shown. */
  async line(text: string, prompt = '>>> '): Promise<void> {
    await this.lastLine(prompt.trimEnd());
    this.type(text);
    await this.lastLine((prompt + text).trimEnd());
    this.type(keys.enter);
  }

  /** Runs code of one line, to its end. */
  async run(code: string): Promise<void> {
    await this.line(code);
    await this.lastLine('>>>');
  }

  /** The lines behind the last time that this one was shown. */
  after(line: string): string[] {
    const { lines } = this;
    return lines.slice(lines.lastIndexOf(line) + 1);
  }
}
