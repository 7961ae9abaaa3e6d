import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouterConfig } from '@replpool/protocol';
import { routerMain } from '@replpool/router';

/** What is kept of what it said, for a report. */
const LOG_LINES = 300;

interface Listening {
  readonly event: string;
  readonly port: number;
  readonly healthPort: number;
}

/** A router as a process of its own on this machine, which finds the agents of the cluster of $KUBECONFIG. */
export class RouterProcess implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly #healthUrl: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #log: string[];

  private constructor(name: string, child: ChildProcess, log: string[], { port, healthPort }: Listening) {
    this.name = name;
    this.#child = child;
    this.#log = log;
    this.#exited = once(child, 'exit');
    this.url = `http://127.0.0.1:${port}`;
    this.#healthUrl = `http://127.0.0.1:${healthPort}`;
  }

  /** Resolves when it listens, which is before it is ready. */
  static async start(name: string, config: RouterConfig): Promise<RouterProcess> {
    const child = spawn(process.execPath, ['--conditions=source', routerMain], { stdio: ['pipe', 'pipe', 'pipe'] });
    const log: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      if (log.length > LOG_LINES) log.shift();
    });
    child.stdin.write(`${JSON.stringify(config)}\n`);
    const said = createInterface({ input: child.stdout });
    for await (const line of said) {
      const message = JSON.parse(line) as Listening;
      if (message.event !== 'listening') continue;
      // What it says later is nobody's, and must not fill the pipe.
      child.stdout.resume();
      return new RouterProcess(name, child, log, message);
    }
    throw new Error(`router ${name} ended before it listened:\n${log.join('\n')}`);
  }

  /** Its last words, for who looks for the reason of a failure. */
  get log(): string {
    return this.#log.join('\n');
  }

  async ready(): Promise<void> {
    while (!(await this.isReady())) await sleep(20);
  }

  async isReady(): Promise<boolean> {
    return (await fetch(`${this.#healthUrl}/readyz`)).ok;
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.#healthUrl}/metrics`)).text();
  }

  /** Tells it to go, as the kubelet does. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Ends it as the kernel does where memory runs out. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Resolves when it has ended. @returns its exit status, null where a signal ended it */
  async exited(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }
}
