import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { invalidRequest, parse, ReplPoolError } from '@replpool/protocol';
import type { z } from 'zod';

/** A JSON body has at most so many bytes. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * The body as the schema describes it; an empty one counts as `{}`.
 * @throws ReplPoolError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readJson<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.output<S>> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return parse(schema, {});
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== 'application/json' && !type.endsWith('+json')) {
    throw new ReplPoolError('UNSUPPORTED_MEDIA_TYPE', `the body is ${type}, not application/json`);
  }
  if (!isUtf8(bytes)) throw invalidRequest('body', 'not valid UTF-8');
  return parse(schema, parseJson(bytes.toString('utf8')));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ReplPoolError('INVALID_REQUEST', `body: not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      details: { field: 'body' },
      cause,
    });
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ReplPoolError {
  return new ReplPoolError('PAYLOAD_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`, {
    details: { limitBytes: MAX_BODY_BYTES },
  });
}
