import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PoolFile } from './pool-file.ts';

/** Time from SIGTERM to SIGKILL; `dev` gives its own processes 3 s. */
const graceMs = 10_000;

/** The program behind the `replpool` command, beside the package's entry. */
function replpoolMain(): string {
  const entry = fileURLToPath(import.meta.resolve('@replpool/cli'));
  return join(dirname(entry), `main${extname(entry)}`);
}

/** A `replpool dev` on a free port. It ends with this object's scope, and with this process however that ends. */
export class Service implements AsyncDisposable {
  readonly url: URL;
  readonly file: PoolFile;
  /** Aborted when it ends without having been asked to. */
  readonly gone: AbortSignal;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: URL, file: PoolFile, gone: AbortSignal) {
    this.#child = child;
    this.url = url;
    this.file = file;
    this.gone = gone;
  }

  /** Resolves when sessions can be made. The first start of all takes minutes: it makes the Python environment. */
  static async start(options: { file: PoolFile; agents: number; signal: AbortSignal }): Promise<Service> {
    const { file, agents, signal } = options;
    signal.throwIfAborted();
    const args = [
      '--conditions=source',
      replpoolMain(),
      'dev',
      '--port',
      '0',
      '-f',
      file.path,
      '--agents',
      `${agents}`,
    ];
    // In a session of its own, so that the terminal's Ctrl-C is this process's to handle. `dev` ends when its fd 3 does.
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: { ...process.env, REPLPOOL_PARENT_FD: '3' },
      detached: true,
    });
    const gone = new AbortController();
    const up = Promise.withResolvers<URL>();
    child.on('error', (error) => up.reject(error));
    child.on('exit', (code, by) => {
      const error = new Error(`replpool dev ended (${by ?? `status ${code}`})`);
      up.reject(error);
      gone.abort(error);
    });
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      const url = /ReplPool is up at (\S+)/.exec(said)?.[1];
      if (url !== undefined) up.resolve(new URL(url));
    });
    const abort = (): void => up.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return new Service(child, await up.promise, file, gone.signal);
    } catch (error) {
      await end(child);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(kill);
}
