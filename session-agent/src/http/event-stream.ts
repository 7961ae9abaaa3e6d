import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LoggedEvent } from '../session/event-log.ts';
import { EventReader } from '../session/event-reader.ts';
import type { Session } from '../session/session.ts';

export type StreamFormat = 'ndjson' | 'sse';

/** The format that the client asked for by `Accept`; undefined where it asked for no stream. */
export function streamFormat(request: IncomingMessage): StreamFormat | undefined {
  const accept = request.headers.accept ?? '';
  if (accept.includes('application/x-ndjson')) return 'ndjson';
  if (accept.includes('text/event-stream')) return 'sse';
  return undefined;
}

const CONTENT_TYPE = { ndjson: 'application/x-ndjson', sse: 'text/event-stream' };
const ENCODE: Record<StreamFormat, (event: LoggedEvent) => string> = {
  ndjson: (event) => `${event.json}\n`,
  sse: (event) => `id: ${event.seq}\nevent: ${event.type}\ndata: ${event.json}\n\n`,
};

/** Sends the events of one execution, from a position, until its end. A client that leaves ends only its own reading. */
export function streamExecution(
  response: ServerResponse,
  options: { session: Session; execution: string; from: number; format: StreamFormat },
): void {
  const { session, execution, from, format } = options;
  response.writeHead(200, { 'content-type': CONTENT_TYPE[format], 'cache-control': 'no-store' });
  response.flushHeaders();
  const encode = ENCODE[format];
  const reader = new EventReader(
    session.log,
    from,
    { write: (event) => response.write(encode(event)), end: () => response.end() },
    { execution, lastSeq: () => session.executions.history.lastSeq(execution) },
  );
  response.on('drain', () => reader.resume());
  response.on('close', () => reader[Symbol.dispose]());
}
