import type { IncomingMessage } from 'node:http';
import { invalidRequest, jsonOutOfBounds, ReplPoolError } from '@replpool/protocol';
import { messageOf } from './message-of.ts';

/** A JSON body has at most so many bytes. */
export const BODY_LIMIT = 16 * 1024 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function bodyTooLarge(): ReplPoolError {
  return new ReplPoolError('PAYLOAD_TOO_LARGE', `the body is larger than ${BODY_LIMIT} bytes`, {
    details: { limitBytes: BODY_LIMIT },
  });
}

/** Whether the announced length says so already, before a byte of the body is read. */
export function announcedTooLarge(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) > BODY_LIMIT;
}

/**
 * The body as JSON; an empty one counts as `{}` and needs no content type.
 * @throws ReplPoolError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (announcedTooLarge(request)) throw bodyTooLarge();
  const type = request.headers['content-type'];
  // Said before the body is read where it can be: a form or a file may be large.
  if (type !== undefined && !isJson(type)) throw unsupported(type);
  const bytes = await readBytes(request);
  if (bytes.length === 0) return {};
  // A web page can send a body without a type to anywhere, but none with this one.
  if (type === undefined) throw unsupported('missing');
  return decode(bytes);
}

/**
 * The whole body, by events and not by `for await`, which would destroy the request where the body is too large.
 * @throws ReplPoolError PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_LIMIT) {
        chunks.length = 0;
        reject(bodyTooLarge());
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new ReplPoolError('INVALID_REQUEST', 'the client went away within the body'));
    });
  });
}

function isJson(type: string): boolean {
  return /^application\/json\s*(?:;|$)/i.test(type);
}

function unsupported(type: string): ReplPoolError {
  return new ReplPoolError('UNSUPPORTED_MEDIA_TYPE', `the content type is ${type}, not application/json`);
}

function decode(bytes: Buffer): unknown {
  const wrong = jsonOutOfBounds(bytes);
  if (wrong !== undefined) throw invalidRequest('body', wrong);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw invalidRequest('body', 'not valid UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidRequest('body', `not JSON: ${messageOf(error)}`);
  }
}
