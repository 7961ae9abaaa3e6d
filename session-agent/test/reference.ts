import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { python } from './python.ts';

/** One execution's code, and whether it then runs until it is stopped. */
export interface Piece {
  readonly statements: readonly string[];
  readonly hangs?: boolean;
}

/** How the last piece ended, before which of its statements, and all that can be observed then; null where the process has ended. */
export interface Told {
  readonly status: 'ok' | 'error' | 'timeout' | 'killed';
  readonly name: string;
  readonly at: number;
  readonly state: unknown;
}

/** A plain Python interpreter that knows nothing of sessions: what pieces of code do to it is what they have to do to a session. */
export class Reference implements Disposable {
  static readonly observer = join(import.meta.dirname, 'observer.py');
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  #answers: PromiseWithResolvers<string>[] = [];

  /** @param preload modules that it has from the beginning */
  constructor(preload: readonly string[] = []) {
    const script = join(import.meta.dirname, 'reference.py');
    this.#process = spawn(python(), [script, Reference.observer, ...preload], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error('the reference has no output');
    this.#lines = createInterface({ input: stdout });
    this.#lines.on('line', (line) => this.#answers.shift()?.resolve(line));
    this.#process.on('exit', (code) => {
      for (const { reject } of this.#answers.splice(0)) reject(new Error(`the reference ended with ${code}`));
    });
  }

  async run(pieces: readonly Piece[]): Promise<Told> {
    const answer = Promise.withResolvers<string>();
    this.#answers.push(answer);
    this.#process.stdin?.write(`${JSON.stringify(pieces)}\n`);
    return JSON.parse(await answer.promise) as Told;
  }

  [Symbol.dispose](): void {
    this.#lines.close();
    this.#process.stdin?.end();
  }
}
