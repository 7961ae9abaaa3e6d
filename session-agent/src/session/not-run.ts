import { type Execution, type NotRun, notRunSchema, ReplPoolError } from '@replpool/protocol';
import { toReplPoolError } from '@replpool/service';

/** What an outcome says of code whose transaction could not begin. */
export function notRun(error: unknown): NotRun {
  const { code, what, why, how } = toReplPoolError(error);
  const known = notRunSchema.shape.code.safeParse(code);
  return { code: known.data ?? 'WORKER_FAILED', message: `${what}: ${why}`, how };
}

/** The problem that such an outcome is to whoever waits for it; undefined for other outcomes. */
export function problemOf({ error }: Execution): ReplPoolError | undefined {
  const parsed = notRunSchema.safeParse(error);
  if (!parsed.success) return undefined;
  const { code, message: why, how } = parsed.data;
  return new ReplPoolError(code, 'the code was not run', { why, how });
}
