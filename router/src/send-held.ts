import type { ServerResponse } from 'node:http';
import type { Outcome } from './forward.ts';

export type Held = Extract<Outcome, { kind: 'held' }>;

/**
 * Sends an answer that was kept back.
 * @param more headers besides its own, flat
 */
export function sendHeld(res: ServerResponse, { status, headers, body }: Held, more: readonly string[] = []): void {
  const framed = headers.filter((_, i) => headers[i - (i % 2)] !== 'content-length');
  res.writeHead(status, [...framed, ...more, 'content-length', String(body.length)]);
  res.end(body);
}
