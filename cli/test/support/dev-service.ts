import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { carrying, until } from './processes.ts';
import { bin, examples } from './replpool.ts';

/** A real `replpool dev` with a folder of its own as TMPDIR, by which every process that it started is found: workers keep the variable. */
export class DevService implements AsyncDisposable {
  readonly folder: string;
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  private constructor(folder: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.child = spawn(process.execPath, [bin, 'dev', '--port', '0', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder, ...env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
  }

  static async start(args: readonly string[] = ['-f', `${examples}python.yaml`], env: NodeJS.ProcessEnv = {}) {
    return new DevService(await mkdtemp(join('/tmp', 'rp-test-')), args, env);
  }

  /** Everything that it started and that still lives, itself included. */
  processes(): { pid: number; command: string }[] {
    return carrying(`TMPDIR=${this.folder}`);
  }

  async url(): Promise<string> {
    await until(() => this.stdout.includes('Ctrl-C ends everything') || this.child.exitCode !== null, 120_000);
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(this.stdout)?.[0];
    if (found === undefined) throw new Error(`dev did not start: ${this.stderr}`);
    return found;
  }

  async post(path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${await this.url()}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async exited(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited();
    for (const { pid } of this.processes()) process.kill(pid, 'SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
