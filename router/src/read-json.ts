import type { IncomingMessage } from 'node:http';
import { ReplPoolError } from '@replpool/protocol';

/** The largest body of a JSON request. */
export const BODY_LIMIT = 16 * 1024 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export interface JsonBody {
  readonly value: unknown;
  readonly bytes: Buffer;
}

export const tooLarge = (): ReplPoolError =>
  new ReplPoolError('PAYLOAD_TOO_LARGE', `the body is larger than ${BODY_LIMIT} bytes`, {
    details: { limitBytes: BODY_LIMIT },
  });

/** PAYLOAD_TOO_LARGE where the announced length says so already, before a byte of the body is read. */
export function announcedTooLarge(req: IncomingMessage): boolean {
  return Number(req.headers['content-length'] ?? 0) > BODY_LIMIT;
}

/** The whole body as JSON. Throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or INVALID_REQUEST. */
export async function readJson(req: IncomingMessage): Promise<JsonBody> {
  const type = req.headers['content-type'];
  if (type === undefined || !/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new ReplPoolError('UNSUPPORTED_MEDIA_TYPE', `the content type is ${type ?? 'missing'}, not application/json`);
  }
  if (announcedTooLarge(req)) throw tooLarge();
  const bytes = await readBytes(req);
  return { value: decode(bytes), bytes };
}

/** Reads by events, not by `for await`, which would destroy the request where the body is too large. */
export function readBytes(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_LIMIT) reject(tooLarge());
      else chunks.push(chunk);
    });
    req.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.once('error', reject);
    req.once('close', () => reject(new ReplPoolError('INVALID_REQUEST', 'the client went away within the body')));
  });
}

function decode(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    const syntax = cause instanceof SyntaxError;
    const what = syntax ? `body: not JSON: ${cause.message}` : 'body: not UTF-8';
    throw new ReplPoolError('INVALID_REQUEST', what, { details: { field: 'body' }, cause });
  }
}
