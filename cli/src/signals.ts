import { Socket } from 'node:net';

const parentPollMs = 500;

/** npm passes the name of the script on; only a start that npm itself made ends when npm is killed. */
function startedByNpm(env: NodeJS.ProcessEnv): boolean {
  return env.npm_lifecycle_event === 'start' || env.npm_lifecycle_event === 'npx';
}

/**
 * Calls `end` once the process that started this one is gone: the bin's outer Node.js 20 (fd 3 ends), or npm (this process has another
 * parent). Signals tell of neither when it was kill -9.
 */
export function watchParent(end: () => void): Disposable {
  const fd = Number(process.env.REPLPOOL_PARENT_FD);
  delete process.env.REPLPOOL_PARENT_FD;
  let socket: Socket | undefined;
  if (Number.isInteger(fd) && fd > 2) {
    socket = new Socket({ fd, readable: true, writable: false });
    socket.on('error', end).on('close', end).resume().unref();
  }
  const parent = process.ppid;
  const timer = startedByNpm(process.env)
    ? setInterval(() => {
        if (process.ppid !== parent) end();
      }, parentPollMs).unref()
    : undefined;
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      socket?.removeAllListeners('close').destroy();
    },
  };
}

/** Aborts on the signals (each may come twice: npm forwards what the terminal sent to the group) or the parent's death. */
export function endSignal(
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'],
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const end = (): void => controller.abort();
  for (const signal of signals) process.on(signal, end);
  const parent = watchParent(end);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, end);
      parent[Symbol.dispose]();
    },
  };
}
