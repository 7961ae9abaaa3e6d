import type { ErrorCode } from '@replpool/protocol';

/** Exit status of every command: what a script that calls `replpool` may rely on. 1 is a no to what was asked: the code failed, a pool is not ready. */
export const ExitCode = { ok: 0, codeFailed: 1, notReady: 1, wrongUse: 2, serviceFailed: 3, interrupted: 130 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends a command: says what went wrong and how to fix it, and carries the exit status. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: ExitCode;
  readonly how: string | undefined;
  /** The service's, of what it refused. */
  readonly code: ErrorCode | undefined;

  constructor(exitCode: ExitCode, message: string, options: { how?: string; cause?: unknown; code?: ErrorCode } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.exitCode = exitCode;
    this.how = options.how;
    this.code = options.code;
  }
}

export function wrongUse(message: string, how?: string, cause?: unknown): CommandFailure {
  return new CommandFailure(ExitCode.wrongUse, message, { ...(how === undefined ? {} : { how }), cause });
}

export function serviceFailed(message: string, how?: string, cause?: unknown): CommandFailure {
  return new CommandFailure(ExitCode.serviceFailed, message, { ...(how === undefined ? {} : { how }), cause });
}

/** The text for stderr. */
export function failureText(error: unknown): string {
  if (error instanceof CommandFailure) {
    return `replpool: ${error.message}\n${error.how === undefined ? '' : `  ${error.how}\n`}`;
  }
  return `replpool: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof CommandFailure ? error.exitCode : ExitCode.serviceFailed;
}
