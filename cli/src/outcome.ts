import type { EventOf, Execution, ExecutionError, SessionEvent } from '@replpool/protocol';
import { ExitCode } from './failure.ts';

/** What stderr shows of a failed execution: the user's own traceback, or why the worker died and what to do. */
function errorText(error: ExecutionError): string {
  if ('traceback' in error) {
    const lines = error.traceback.length > 0 ? error.traceback : [`${error.name}: ${error.message}`];
    return lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`)).join('');
  }
  if (!('reason' in error)) return `replpool: the code was not run (${error.code}): ${error.message}\n  ${error.how}\n`;
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
function sessionText(event: EventOf<'session'>): string | undefined {
  if (event.restored === undefined && event.lost === undefined) return undefined;
  const lost = event.lost?.map((item) => item.name).join(', ');
  if (event.reason === 'undo') return `replpool: the session went back by an undo${lost ? `, gone: ${lost}` : ''}\n`;
  return `replpool: the session is back (${event.reason ?? 'restarted'}), restored: ${event.restored ?? 'nothing'}${lost ? `, lost: ${lost}` : ''}\n`;
}

/** What stderr shows of an event that is not output; undefined: nothing. */
export function eventText(event: SessionEvent): string | undefined {
  switch (event.type) {
    case 'error':
      return errorText(event.error);
    case 'warning':
      // Who interrupts knows it, and the status of a timeout says it.
      if (event.code === 'INTERRUPT_SENT') return undefined;
      return `replpool: ${event.message} (${event.code})\n`;
    case 'gap':
      return `replpool: output is missing here (events ${event.from} to ${event.to})\n`;
    case 'session':
      return sessionText(event);
    default:
      return undefined;
  }
}
