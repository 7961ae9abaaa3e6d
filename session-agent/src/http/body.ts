import type { IncomingMessage } from 'node:http';
import { parse } from '@replpool/protocol';
import { readJson } from '@replpool/service';
import type { z } from 'zod';

/**
 * The body as the schema describes it; an empty one counts as `{}`.
 * @throws ReplPoolError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readBody<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.output<S>> {
  return parse(schema, await readJson(request));
}
