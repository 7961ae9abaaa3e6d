import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serviceFailed } from '../failure.ts';

const script = fileURLToPath(new URL('../../python/guard.py', import.meta.url));
const keptErrorLines = 20;

export interface GuardedCommand {
  /** A Python that runs the guard; needs nothing installed. */
  readonly python: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** What decides which Python code is found belongs to the user's shell, not to the environments made here. */
export function pythonEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PYTHONPATH: _path, PYTHONHOME: _home, VIRTUAL_ENV: _venv, ...rest } = env;
  return rest;
}

// In a session of its own, so that the terminal's Ctrl-C reaches only `dev`, which closes the pipe.
function startGuard(python: string, args: readonly string[], cwd?: string): ChildProcess {
  return spawn(python, ['-I', script, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: pythonEnv(process.env),
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Runs a command that ends when this process does, however it ends. Rejects with the last lines of its stderr. */
export async function runGuarded(options: GuardedCommand): Promise<void> {
  options.signal.throwIfAborted();
  const child = startGuard(options.python, ['run', ...options.command], options.cwd);
  const abort = (): void => void child.stdin?.destroy();
  options.signal.addEventListener('abort', abort);
  const errors: string[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => options.onLine?.(line));
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      errors.push(line);
      if (errors.length > keptErrorLines) errors.shift();
    });
  }
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    options.signal.throwIfAborted();
    if (code !== 0) {
      throw serviceFailed(`'${options.command.join(' ')}' failed (status ${code})\n${errors.join('\n')}`);
    }
  } finally {
    options.signal.removeEventListener('abort', abort);
    child.stdin?.destroy();
  }
}

/** Holds a file's lock until disposed of; the lock ends with this process, however it ends. */
export async function holdLock(
  python: string,
  file: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<AsyncDisposable> {
  const child = startGuard(python, ['lock', file]);
  const closed = once(child, 'close');
  const release = async (): Promise<void> => {
    child.stdin?.destroy();
    await closed;
  };
  const abort = (): void => void child.stdin?.destroy();
  signal.addEventListener('abort', abort, { once: true });
  const locked = Promise.withResolvers<boolean>();
  if (child.stdout) {
    createInterface({ input: child.stdout })
      .on('line', (line) => {
        if (line === 'waiting') onWait();
        if (line === 'locked') locked.resolve(true);
      })
      .on('close', () => locked.resolve(false));
  }
  child.stderr?.resume();
  const held = await locked.promise;
  signal.removeEventListener('abort', abort);
  if (!held || signal.aborted) {
    await release();
    signal.throwIfAborted();
    throw serviceFailed(`cannot lock ${file}`);
  }
  return { [Symbol.asyncDispose]: release };
}
