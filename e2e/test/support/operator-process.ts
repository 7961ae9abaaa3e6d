import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type OperatorConfig, operatorMain } from '@replpool/operator';

/** An operator as a process of its own on this machine, told by a file as in its pod. */
export class OperatorProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #folder: string;

  private constructor(name: string, child: ChildProcess, folder: string) {
    this.name = name;
    this.#child = child;
    this.#exited = once(child, 'exit');
    this.#folder = folder;
  }

  /** @param write gets the lines that it says */
  static async start(
    name: string,
    { instance: _other, ...config }: OperatorConfig,
    write: (line: string) => void,
  ): Promise<OperatorProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'replpool-operator-'));
    const file = join(folder, 'operator.json');
    await writeFile(file, JSON.stringify(config));
    const args = ['--conditions=source', operatorMain, '--config', file, '--pod', name];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    createInterface({ input: child.stderr }).on('line', (line) => write(`${name}: ${line}\n`));
    return new OperatorProcess(name, child, folder);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Tells it to go, as the kubelet does. @returns its exit status */
  async terminate(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    if (!this.hasEnded) await this.#exited;
    return this.#child.exitCode;
  }

  /** Ends it as the kernel does where memory runs out. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (!this.hasEnded) await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}
