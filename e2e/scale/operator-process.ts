import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { operatorNodeOptions } from '@replpool/operator';
import { Samples } from './samples.ts';

/** The operator as a process of its own, so that its memory is its own. */
export class OperatorProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** @param namespace of its Lease and its CA */
  static async start(namespace: string, instance: string, port: number): Promise<OperatorProcess> {
    const main = join(import.meta.dirname, '../../operator/src/main.ts');
    const child = spawn(process.execPath, ['--conditions=source', ...operatorNodeOptions, main, '--pod', instance], {
      stdio: ['pipe', 'inherit', 'inherit'],
      // As in its image.
      env: { ...process.env, MALLOC_ARENA_MAX: '1', REPLPOOL_LOG_LEVEL: process.env.REPLPOOL_LOG_LEVEL ?? 'error' },
    });
    const health = { host: '127.0.0.1', port };
    const config = { namespace, release: 'scale', agentImage: 'simulated.invalid/agent:1', cgroups: 'None', health };
    child.stdin?.write(`${JSON.stringify(config)}\n`);
    const it = new OperatorProcess(child, port);
    while (!(await it.answers())) await sleep(100);
    return it;
  }

  async answers(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error('the operator ended');
    return await fetch(`http://127.0.0.1:${this.#port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async samples(): Promise<Samples> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
    return new Samples(await response.text());
  }

  /** As a node that loses its power. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}
