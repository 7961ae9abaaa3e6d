import { type Options, Packr } from 'msgpackr';
import type { FrameCodec } from './frame-hello.ts';
import { jsonOutOfBounds, msgpackOutOfBounds } from './message-bounds.ts';

/** Bytes that are no frame, or a frame that is no message; it ends the connection that it came from. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/**
 * Standard msgpack as Python's `msgpack` writes it: no records, the smallest headers, fields that are `undefined` left
 * out as JSON does. msgpackr's types miss `int64AsType: 'auto'` (an int64 is a bigint only where a number cannot hold
 * it) and `skipValues`. `copyBuffers`: a decoded binary does not keep the whole message alive.
 */
const options = {
  useRecords: false,
  int64AsType: 'auto',
  encodeUndefinedAsNil: true,
  variableMapSize: true,
  skipValues: [undefined],
  copyBuffers: true,
};
const packr = new Packr(options as unknown as Options);

/** Makes `pack` leave four bytes free in front of the message (RESERVE_START_SPACE, which its types miss). */
const RESERVE_HEADER = 2048 | 4;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Binary becomes base64. Reads `this[key]`, because a Buffer's own toJSON has run before the replacer is called. */
function binaryAsBase64(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key];
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('base64');
  if (typeof raw === 'bigint') {
    const number = Number(raw);
    if (Number.isSafeInteger(number)) return number;
    throw new FrameError(`JSON cannot carry the integer ${raw}`);
  }
  return value;
}

/** JSON text of a message; binary as base64. */
export function toJson(message: unknown): string {
  return JSON.stringify(message, binaryAsBase64);
}

/**
 * A message without a length, as the channel sends it. An integer of 2^32 or more must be a BigInt, else msgpack
 * carries it as a float.
 */
export function encodeMessage(message: unknown, codec: FrameCodec): Buffer {
  return codec === 'msgpack' ? packr.pack(message) : Buffer.from(toJson(message));
}

/** The message in `payload`; throws FrameError where there is none, or one out of bounds. Nothing of it aliases `payload`. */
export function decodeMessage(payload: Uint8Array, codec: FrameCodec): unknown {
  const wrong = codec === 'msgpack' ? msgpackOutOfBounds(payload) : jsonOutOfBounds(payload);
  if (wrong !== undefined) throw new FrameError(`not a ${codec} message of ${payload.length} bytes: ${wrong}`);
  try {
    return codec === 'msgpack' ? packr.unpack(payload) : JSON.parse(utf8.decode(payload));
  } catch (cause) {
    throw new FrameError(`not a ${codec} message of ${payload.length} bytes`, { cause });
  }
}

/** u32 big-endian length and the message, in one buffer. */
export function packWithLength(message: unknown): Buffer {
  const framed = packr.pack(message, RESERVE_HEADER);
  framed.writeUInt32BE(framed.length - 4, 0);
  return framed;
}
