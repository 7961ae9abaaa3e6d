import { type ErrorCode, type Problem, problemSchema } from '@replpool/protocol';
import { CommandFailure, ExitCode, serviceFailed } from '../failure.ts';
import type { Target } from '../target.ts';

/** 4xx that say nothing of the request, only of the service's present state. */
const notTheCallersFault: readonly number[] = [408, 410, 421, 429];

export function exitCodeOfStatus(status: number): ExitCode {
  return status >= 400 && status < 500 && !notTheCallersFault.includes(status)
    ? ExitCode.wrongUse
    : ExitCode.serviceFailed;
}

/** The registry speaks of headers and bodies; whoever types a command has other means. */
const ways: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNAUTHENTICATED: 'Give your key in the variable REPLPOOL_API_KEY, or the name of a file with it to --api-key-file.',
  NO_SNAPSHOT: 'So many statements can be undone as replpool repl --keep-snapshots says, or the pool.',
};

export function problemFailure(problem: Problem): CommandFailure {
  const { code, status, what } = problem;
  return new CommandFailure(exitCodeOfStatus(status), `${what} (${code})`, { code, how: ways[code] ?? problem.how });
}

/** The failure that an error answer means, whoever gave it. */
export function answerFailure(status: number, body: string): CommandFailure {
  let problem: Problem | undefined;
  try {
    problem = problemSchema.safeParse(JSON.parse(body)).data;
  } catch {
    problem = undefined;
  }
  if (problem !== undefined) return problemFailure(problem);
  return new CommandFailure(exitCodeOfStatus(status), `the service answered ${status}: ${body.slice(0, 200)}`);
}

export function unreachable(target: Target, cause: unknown): CommandFailure {
  const reason = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : '';
  return serviceFailed(
    `nothing answers at ${target.url.href}${reason === '' ? '' : ` (${reason})`}`,
    'start it with `npx replpool dev`, or name another with --url or REPLPOOL_URL',
    cause,
  );
}
