import type { Execution } from '@replpool/protocol';
import { messageOf } from '@replpool/service';

/** What is kept of an outcome that no string can hold as JSON, or no disk: the part that matters most. @param why it is not kept whole */
export function shortOutcome(outcome: Execution, why: unknown): Execution {
  const message = `the outcome cannot be kept whole: ${messageOf(why)}`;
  const { result: _, error, ...rest } = outcome;
  const warnings = [{ code: 'OUTPUT_TRUNCATED', message }];
  return { ...rest, ...shortError(error), stdout: '', stderr: '', displays: [], warnings };
}

function shortError(error: Execution['error']): Pick<Execution, 'error'> {
  if (error === undefined || 'code' in error) return { ...(error && { error }) };
  return { error: { name: error.name.slice(0, 1000), message: error.message.slice(0, 1000), traceback: [] } };
}
