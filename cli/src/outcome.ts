import type { EventOf, Execution, ExecutionError } from '@replpool/protocol';
import { ExitCode } from './failure.ts';

/** What stderr shows of a failed execution: the user's own traceback, or why the worker died and what to do. */
export function errorText(error: ExecutionError): string {
  if ('traceback' in error) {
    const lines = error.traceback.length > 0 ? error.traceback : [`${error.name}: ${error.message}`];
    return lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`)).join('');
  }
  return `replpool: the worker died (${error.reason}): ${error.message}\n  ${error.how}\n`;
}

/** The exit status of a command whose code ended so. */
export function exitCodeOfOutcome(status: Execution['status']): ExitCode {
  if (status === 'ok') return ExitCode.ok;
  if (status === 'interrupted') return ExitCode.interrupted;
  if (status === 'lost' || status === 'cancelled') return ExitCode.serviceFailed;
  return ExitCode.codeFailed;
}

/** A session that came back without its state says so; other changes of state need no words. */
export function sessionText(event: EventOf<'session'>): string | undefined {
  if (event.restored === undefined && event.lost === undefined) return undefined;
  const lost = event.lost?.map((item) => item.name).join(', ');
  return `replpool: the session is back (${event.reason ?? 'restarted'}), restored: ${event.restored ?? 'nothing'}${lost ? `, lost: ${lost}` : ''}\n`;
}
