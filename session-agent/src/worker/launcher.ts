import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import {
  answerHello,
  type FromLauncherFrame,
  fromLauncherSchema,
  HELLO_TIMEOUT_MS,
  workerHelloSchema,
} from '@replpool/protocol';
import type { Logger } from 'pino';
import type { ExitStatus } from './exit.ts';
import { FrameLink } from './link.ts';

export interface ZygoteOptions {
  readonly preload: readonly string[];
  readonly warmupCode: string;
  readonly env: Readonly<Record<string, string>>;
  /** The cpu limit of a session in cores; sets the thread counts of numeric libraries. */
  readonly cpu: number;
}

export interface ZygoteEvents {
  ready(durationMs: number): void;
  failed(message: string): void;
  exited(status: ExitStatus): void;
}

/** Processes of which somebody may still ask how they ended. */
const MOST_EXPECTED = 1024;

/**
 * The process that starts zygotes and reaps everything, for Node.js can do neither. When the agent goes, by whatever way, its pipe
 * ends and the launcher kills all that descends from it.
 */
export class Launcher {
  readonly #process: ChildProcess;
  readonly #link: FrameLink;
  readonly #zygotes = new Map<string, ZygoteEvents>();
  readonly #forks = new Map<string, { resolve(pid: number): void; reject(error: Error): void }>();
  readonly #exits = new Map<number, (status: ExitStatus) => void>();
  /** Of processes that are about to be somebody's: without a status while they live. */
  readonly #expected = new Map<number, ExitStatus | undefined>();
  /** Of what may be a fork whose `forked` has not come yet. */
  readonly #unclaimed = new Map<number, ExitStatus>();
  readonly #adoptions = new Map<string, PromiseWithResolvers<boolean>>();
  readonly #kills = new Map<string, PromiseWithResolvers<void>>();
  readonly #stacks = new Map<string, PromiseWithResolvers<string>>();
  readonly #log: Logger;
  #gone = false;
  readonly #greeted = Promise.withResolvers<void>();

  private constructor(process: ChildProcess, onLost: (error: Error) => void, log: Logger) {
    this.#process = process;
    this.#log = log;
    const [, , , input, output] = process.stdio;
    if (!(input instanceof Writable) || !(output instanceof Readable))
      throw new Error('the launcher has no protocol pipes');
    this.#link = new FrameLink(output, input, {
      hello: (raw) => {
        const answer = answerHello(workerHelloSchema.parse(raw));
        if (answer.type === 'refused') return this.#link.refuse(answer.code, answer.message);
        this.#link.answerHello(answer, answer.codec);
        this.#greeted.resolve();
      },
      frame: (frame) => {
        const parsed = fromLauncherSchema.parse(frame);
        this.#contain(() => this.#receive(parsed));
      },
      closed: (error) => {
        this.#gone = true;
        const lost = new Error('the launcher is gone', { cause: error });
        this.#greeted.reject(lost);
        for (const fork of this.#forks.values()) fork.reject(lost);
        this.#forks.clear();
        for (const kill of this.#kills.values()) kill.resolve();
        this.#kills.clear();
        for (const adoption of this.#adoptions.values()) adoption.resolve(false);
        this.#adoptions.clear();
        for (const stacks of this.#stacks.values()) stacks.resolve('');
        this.#stacks.clear();
        // It takes all of its descendants along.
        for (const exited of this.#exits.values()) this.#contain(() => exited({ signal: 'SIGKILL' }));
        this.#exits.clear();
        onLost(lost);
      },
    });
  }

  /**
   * @param command the launcher's; it speaks docs/worker-protocol.md on the fds in PYREPL_PROTOCOL_FDS
   * @param onLost called once when the launcher has gone, on shutdown too
   */
  static async start(
    [program, ...args]: readonly [string, ...string[]],
    onLost: (error: Error) => void,
    log: Logger,
  ): Promise<Launcher> {
    const process = spawn(program, args, {
      // Its stdout is our stderr: ours has lines for who started us, and `warmupCode` may print what it likes.
      stdio: ['ignore', 2, 2, 'pipe', 'pipe'],
      env: launcherEnvironment(),
      // A Ctrl-C on the terminal is the agent's to act on.
      detached: true,
    });
    const failed = once(process, 'error').then(([error]) => {
      throw new Error(`cannot start ${program}`, { cause: error });
    });
    const launcher = new Launcher(process, onLost, log);
    const late = setTimeout(() => launcher.#link.fail(new Error('the launcher said no hello')), HELLO_TIMEOUT_MS);
    try {
      await Promise.race([launcher.#greeted.promise, failed]);
    } catch (error) {
      process.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(late);
    }
    return launcher;
  }

  startZygote(zygote: string, options: ZygoteOptions, events: ZygoteEvents): void {
    this.#zygotes.set(zygote, events);
    this.#link.send({ type: 'zygote_start', zygote, ...options });
  }

  /** Forks a worker. @returns its pid */
  fork(request: { zygote: string; worker: string; socket: string; token: string; directory: string }): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#forks.set(request.worker, { resolve, reject });
    this.#link.send({ type: 'fork', ...request });
    return promise;
  }

  /**
   * Calls `listener` once when the process is reaped.
   * @throws Error where somebody else listens: the number of a twin comes from a process that runs user code
   */
  onExit(pid: number, listener: (status: ExitStatus) => void): void {
    const already = this.#expected.get(pid);
    this.#expected.delete(pid);
    if (already) {
      queueMicrotask(() => listener(already));
    } else if (this.#exits.has(pid)) throw new Error(`process ${pid} is another worker`);
    else this.#exits.set(pid, listener);
  }

  /**
   * Ends a worker with everything that it started; resolves when nothing of it is left.
   *
   * @param spare processes that go on, with what is below them
   */
  kill(worker: string, pid: number, spare: readonly number[] = []): Promise<void> {
    const asked = this.#kills.get(worker);
    if (asked) return asked.promise;
    const kill = Promise.withResolvers<void>();
    if (this.#gone) kill.resolve();
    else this.#kills.set(worker, kill);
    this.#link.send({ type: 'kill', worker, pid, ...(spare.length > 0 && { spare }) });
    return kill.promise;
  }

  /**
   * A fork of a worker is to be known by its own id from now on; of a twin before the `kill` of the other.
   *
   * @param fork `directory` where it is to have pipes of its own: they are made in there
   * @returns whether it is one of that worker; what the number says comes from a process that runs user code
   */
  async adopt(fork: { worker: string; pid: number; of: string; directory?: string }): Promise<boolean> {
    if (this.#gone) return false;
    const adoption = Promise.withResolvers<boolean>();
    this.#adoptions.set(fork.worker, adoption);
    this.#link.send({ type: 'adopt', ...fork });
    return await adoption.promise;
  }

  /** Has a worker read what it was sent, where code that keeps its interpreter can be brought to let it. */
  wake(worker: string, pid: number): void {
    this.#link.send({ type: 'wake', worker, pid });
  }

  /** Where the threads of a worker stand, in the words of its language; empty where that is not to be had. */
  stacks(worker: string, pid: number): Promise<string> {
    if (this.#gone) return Promise.resolve('');
    const asked = this.#stacks.get(worker);
    if (asked) return asked.promise;
    const stacks = Promise.withResolvers<string>();
    this.#stacks.set(worker, stacks);
    this.#link.send({ type: 'stacks', worker, pid });
    return stacks.promise;
  }

  /** Ends every descendant; resolves when the launcher has exited. */
  async shutdown(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#link[Symbol.dispose]();
    await exited;
  }

  /** A defect in what one session does with the news must not end the launcher, and with it all sessions. */
  #contain(tell: () => void): void {
    try {
      tell();
    } catch (err) {
      this.#log.error({ err }, 'a message of the launcher could not be handled');
    }
  }

  #receive(frame: FromLauncherFrame): void {
    switch (frame.type) {
      case 'zygote_ready':
        this.#zygotes.get(frame.zygote)?.ready(frame.durationMs);
        return;
      case 'zygote_failed':
        this.#zygotes.get(frame.zygote)?.failed(`${frame.error.name}: ${frame.error.message}`);
        return;
      case 'zygote_exited':
        this.#zygotes.get(frame.zygote)?.exited(frame);
        return;
      case 'forked':
        this.#expect(frame.pid);
        this.#forks.get(frame.worker)?.resolve(frame.pid);
        this.#forked(frame.worker);
        return;
      case 'adopted':
        if (frame.isOurs) this.#expect(frame.pid);
        this.#adoptions.get(frame.worker)?.resolve(frame.isOurs);
        this.#adoptions.delete(frame.worker);
        return;
      case 'fork_failed':
        this.#forks.get(frame.worker)?.reject(new Error(frame.message));
        this.#forked(frame.worker);
        return;
      case 'exited':
        this.#exited(frame.pid, frame);
        return;
      case 'killed':
        this.#kills.get(frame.worker)?.resolve();
        this.#kills.delete(frame.worker);
        // A launcher that does not know the question never answers it.
        this.#toldStacks(frame.worker, '');
        return;
      case 'stacks':
        this.#toldStacks(frame.worker, frame.text);
        return;
    }
  }

  #toldStacks(worker: string, text: string): void {
    this.#stacks.get(worker)?.resolve(text);
    this.#stacks.delete(worker);
  }

  #exited(pid: number, status: ExitStatus): void {
    const listener = this.#exits.get(pid);
    this.#exits.delete(pid);
    if (listener) {
      listener(status);
      return;
    }
    if (this.#expected.has(pid)) this.#expected.set(pid, status);
    else if (this.#forks.size > 0) this.#unclaimed.set(pid, status);
  }

  /** Somebody will listen for its exit. */
  #expect(pid: number): void {
    if (this.#exits.has(pid)) return;
    this.#expected.set(pid, this.#unclaimed.get(pid));
    const [oldest] = this.#expected.keys();
    // Of one that nobody took after all.
    if (this.#expected.size > MOST_EXPECTED && oldest !== undefined) this.#expected.delete(oldest);
  }

  /** One fork less is on its way. What ended before and is nobody's by then never will be: its number is given out again. */
  #forked(worker: string): void {
    this.#forks.delete(worker);
    if (this.#forks.size === 0) this.#unclaimed.clear();
  }
}

/** What workers may see of the agent's environment: never its configuration, which holds the token. */
function launcherEnvironment(): NodeJS.ProcessEnv {
  const locale = ['LANG', 'LC_ALL', 'LC_CTYPE', 'TZ'];
  // The user's name, for in a pod its number is in no /etc/passwd.
  const passed = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'PYTHONPATH', 'LD_LIBRARY_PATH', ...locale];
  const env: NodeJS.ProcessEnv = { PYREPL_PROTOCOL_FDS: '3,4' };
  for (const name of passed) if (process.env[name] !== undefined) env[name] = process.env[name];
  return env;
}
