import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { failuresAfter, restartDelayMs } from './restart-delay.ts';

/** How to start a process once; `start` is asked again for each start, so that tokens and folders can be new. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Its configuration, as the first line of its stdin. */
  readonly firstLine?: string;
}

export interface Watcher {
  /** A line of stdout. */
  line(line: string): void;
  /** A line of stderr. */
  log(line: string): void;
  /** It ended without being asked to; it starts again after `delayMs`. */
  died(reason: string, delayMs: number): void;
}

export interface SupervisorOptions {
  readonly start: (generation: number) => Start;
  readonly watcher: Watcher;
  /** Time from the end of stdin to SIGKILL. */
  readonly graceMs?: number;
  readonly delay?: (failures: number) => number;
}

const defaultGraceMs = 3_000;

/**
 * Keeps one process alive until disposed of. The process holds the other end of a pipe as its stdin and ends when that ends, so it goes with
 * this process even by kill -9. It is in a session of its own, so that the terminal's Ctrl-C is this process's to handle.
 */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  #child: ChildProcess | undefined;
  #closed: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #generation = 0;
  #failures = 0;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#stopping) return;
    this.#generation += 1;
    const { command, args, env, firstLine } = this.#options.start(this.#generation);
    const startedAt = performance.now();
    const child = spawn(command, args, { env: env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    const { watcher } = this.#options;
    createInterface({ input: child.stdout }).on('line', (line) => watcher.line(line));
    createInterface({ input: child.stderr }).on('line', (line) => watcher.log(line));
    // A write to a process that just died fails here; its exit is what counts.
    child.stdin.on('error', () => undefined);
    if (firstLine !== undefined) child.stdin.write(`${firstLine}\n`);
    const closed = Promise.withResolvers<void>();
    this.#closed = closed.promise;
    let failed: string | undefined;
    child.on('error', (error) => {
      failed = error.message;
      if (child.pid === undefined) ended(null, null);
    });
    // 'exit', not 'close': what it left behind may hold its stdout, and its death must be noticed at once.
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#child = undefined;
      child.stdin.destroy();
      closed.resolve();
      if (this.#stopping) return;
      this.#failures = failuresAfter(this.#failures, performance.now() - startedAt);
      const delay = (this.#options.delay ?? restartDelayMs)(this.#failures);
      watcher.died(failed ?? (signal === null ? `exit status ${code}` : `signal ${signal}`), delay);
      this.#restart = setTimeout(() => this.start(), delay);
    };
    child.on('exit', ended);
  }

  /** Writes a line to the process's stdin; lost where it is not running (a start gives it what it needs). */
  send(line: string): void {
    this.#child?.stdin?.write(`${line}\n`);
  }

  /** Ends its stdin, then kills it after the grace. May be called again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return;
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), this.#options.graceMs ?? defaultGraceMs);
    await this.#closed;
    clearTimeout(kill);
  }
}
