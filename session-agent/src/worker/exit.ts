/** How a process ended, as the launcher reaped it. */
export interface ExitStatus {
  readonly code?: number | undefined;
  /** The signal's name, `SIGKILL`. */
  readonly signal?: string | undefined;
}

/** Signals by which the kernel tells a process of a fault of its own. */
const FAULTS = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS']);

export type DeathReason = 'crash' | 'exit' | 'signal';

/** Names why a worker that nobody asked to end is gone. */
export function deathReason(status: ExitStatus): DeathReason {
  if (status.signal === undefined) return 'exit';
  return FAULTS.has(status.signal) ? 'crash' : 'signal';
}

/** For the `why` of an error: "by SIGKILL", "with status 3". */
export function describeExit(status: ExitStatus): string {
  return status.signal === undefined ? `with status ${status.code ?? 'unknown'}` : `by ${status.signal}`;
}
