/** How a process ended, as the launcher reaped it. */
export interface ExitStatus {
  readonly code?: number | undefined;
  /** The signal's name, `SIGKILL`. */
  readonly signal?: string | undefined;
  /** Whether the kernel killed it for want of memory, by the count of its cgroup. */
  readonly oom?: boolean | undefined;
  /** What it and all that it started used, where it had a cgroup. */
  readonly cpuMs?: number | undefined;
}

/** Signals by which the kernel tells a process of a fault of its own. */
const FAULTS = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS']);

export type DeathReason = 'oom' | 'crash' | 'exit' | 'signal';

/** Names why a worker that nobody asked to end is gone. */
export function deathReason(status: ExitStatus): DeathReason {
  if (status.oom) return 'oom';
  if (status.signal === undefined) return 'exit';
  return FAULTS.has(status.signal) ? 'crash' : 'signal';
}

/** For the `why` of an error: "by SIGKILL", "with status 3". */
export function describeExit(status: ExitStatus): string {
  if (status.oom) return `by ${status.signal}: it was out of memory`;
  return status.signal === undefined ? `with status ${status.code ?? 'unknown'}` : `by ${status.signal}`;
}
