import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import headless from '@xterm/headless';
import { until } from './processes.ts';
import { bin } from './replpool.ts';

const driver = fileURLToPath(new URL('pty-driver.py', import.meta.url));
/** Waiting is for text and not for time; this only ends a test that fails. */
const patienceMs = 30_000;

/** What these keys send. */
export const keys = {
  enter: '\r',
  tab: '\t',
  up: '\x1b[A',
  left: '\x1b[D',
  backspace: '\x7f',
  ctrlC: '\x03',
  ctrlD: '\x04',
} as const;

export interface PseudoTerminalOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly columns?: number;
}

/** `replpool` on a pseudo-terminal, behind an emulator that says what a person would see. */
export class PseudoTerminal implements AsyncDisposable {
  readonly #driver: ChildProcess;
  readonly #screen: headless.Terminal;
  /** Every byte that was sent to the screen. */
  bytes = '';

  constructor(args: readonly string[], { env, columns = 80 }: PseudoTerminalOptions) {
    const rows = 24;
    this.#screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
    const python = process.env.REPLPOOL_PYTHON || 'python3';
    this.#driver = spawn(python, ['-I', driver, `${columns}`, `${rows}`, process.execPath, bin, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm-256color', REPLPOOL_URL: '', REPLPOOL_API_KEY: '', ...env },
    });
    this.#driver.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.bytes += chunk;
      this.#screen.write(chunk);
    });
    this.#driver.stdin?.on('error', () => undefined);
  }

  type(text: string): void {
    this.#driver.stdin?.write(`${JSON.stringify({ write: text })}\n`);
  }

  /** As a terminal sends a text that is pasted. */
  paste(text: string): void {
    this.type(`\x1b[200~${text.replaceAll('\n', '\r')}\x1b[201~`);
  }

  /** The lines on the screen and above it; rows that are one line, only wrapped, are joined; without spaces at their ends. */
  get lines(): string[] {
    const { active } = this.#screen.buffer;
    const lines: string[] = [];
    for (let row = 0; row < active.length; row += 1) {
      const line = active.getLine(row);
      const text = line?.translateToString(active.getLine(row + 1)?.isWrapped !== true) ?? '';
      if (line?.isWrapped === true) lines.push((lines.pop() ?? '') + text);
      else lines.push(text);
    }
    const trimmed = lines.map((line) => line.trimEnd());
    while (trimmed.at(-1) === '') trimmed.pop();
    return trimmed;
  }

  /** Resolves once the last line is this one. */
  async lastLine(text: string): Promise<void> {
    await this.#until(() => this.lines.at(-1) === text, `the last line ${JSON.stringify(text)}`);
  }

  async shows(pattern: RegExp): Promise<void> {
    await this.#until(() => pattern.test(this.lines.join('\n')), String(pattern));
  }

  /** The command's exit status; 129 where it was hung up. */
  async exited(): Promise<number | null> {
    if (this.#driver.exitCode === null && this.#driver.signalCode === null) await once(this.#driver, 'exit');
    return this.#driver.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#driver.stdin?.end();
    await this.exited();
    this.#screen.dispose();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    try {
      await until(condition, patienceMs);
    } catch (cause) {
      throw new Error(`the terminal does not show ${what}, but:\n${this.lines.join('\n')}`, { cause });
    }
  }
}
