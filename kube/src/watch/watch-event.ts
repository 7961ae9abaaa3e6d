import { ApiError } from '../api/errors.ts';
import { isRecord } from '../api/object.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: unknown }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/**
 * @throws {ApiError} of an ERROR event: 410 where the version is no longer kept
 * @throws {SyntaxError | TypeError} it is no event: a connection that was cut within a line, or a proxy's page
 */
export function parseWatchEvent(line: string): WatchEvent {
  const event: unknown = JSON.parse(line);
  const { type, object } = isRecord(event) ? event : {};
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object };
    case 'BOOKMARK': {
      const metadata = isRecord(object) ? object.metadata : undefined;
      const resourceVersion = isRecord(metadata) ? metadata.resourceVersion : undefined;
      if (typeof resourceVersion === 'string') return { type, resourceVersion };
      throw new TypeError('a bookmark without a resourceVersion');
    }
    case 'ERROR': {
      const code = isRecord(object) ? Number(object.code) : 0;
      throw new ApiError(Number.isInteger(code) ? code : 0, object, 'watch');
    }
    default:
      throw new TypeError(`not an event of a watch: ${line.slice(0, 100)}`);
  }
}

/** The lines of a stream of text; a rest without its newline is no line. */
export async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
}
