import type { ApiClient, Query } from '../api/client.ts';
import type { Clock } from '../clock.ts';
import { linesOf, parseWatchEvent, type WatchEvent } from './watch-event.ts';

export interface Connection {
  readonly client: ApiClient;
  readonly path: string;
  readonly query: Query;
  /** Where the last list or watch ended. */
  readonly resourceVersion: string;
  readonly clock: Clock;
  /** A connection without a word for this long is given up. */
  readonly silentMs: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** The connection said nothing for `silentMs`, though the server sends a bookmark a minute. */
export class SilentError extends Error {
  override readonly name = 'SilentError';
}

/** Between these the server ends a watch by itself; random, so that not all come back at once. */
const SHORTEST_SECONDS = 240;
const LONGEST_SECONDS = 480;

/**
 * The events of one connection, until the server ends it.
 * @throws {ApiError} it was refused, or ended by an ERROR event
 * @throws {SilentError | NoAnswerError | Error} it was silent, or broke
 */
export async function* watchOnce(options: Connection): AsyncGenerator<WatchEvent> {
  const { client, path, query, resourceVersion, clock, silentMs, random, signal } = options;
  const timeoutSeconds = Math.round(SHORTEST_SECONDS + random() * (LONGEST_SECONDS - SHORTEST_SECONDS));
  const connection = new AbortController();
  const end = (): void => connection.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  let heardAt = clock.now();
  let silence: Disposable | undefined;
  const listen = (ms: number): void => {
    silence = clock.after(ms, () => {
      const left = heardAt + silentMs - clock.now();
      if (left > 0) listen(left);
      else connection.abort(new SilentError(`the watch of ${path} was silent for ${silentMs} ms`));
    });
  };
  listen(silentMs);
  try {
    const watch = { ...query, watch: 1, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
    const response = await client.stream({ path, query: watch, signal: connection.signal });
    response.setEncoding('utf8');
    for await (const line of linesOf(response)) {
      heardAt = clock.now();
      yield parseWatchEvent(line);
    }
  } catch (error) {
    // What broke is the destroyed socket; why it was destroyed says more.
    if (connection.signal.aborted) throw connection.signal.reason;
    throw error;
  } finally {
    silence?.[Symbol.dispose]();
    signal.removeEventListener('abort', end);
    connection.abort();
  }
}
