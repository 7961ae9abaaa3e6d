import type { z } from 'zod';
import type { FrameCodec } from './frame-hello.ts';
import { decodeMessage, encodeMessage, FrameError, packWithLength } from './message-codec.ts';

/** A frame's message has at most so many bytes. */
export const MAX_FRAME_BYTES = 67_108_864;

const HEADER_BYTES = 4;
const EMPTY = Buffer.alloc(0);

/** `message` as a frame: u32 big-endian length, then the message. Throws FrameError where it is too long. */
export function encodeFrame(message: unknown, codec: FrameCodec): Buffer {
  const frame = codec === 'msgpack' ? packWithLength(message) : withLength(encodeMessage(message, codec));
  const length = frame.length - HEADER_BYTES;
  if (length > MAX_FRAME_BYTES) throw new FrameError(`a frame of ${length} bytes, more than ${MAX_FRAME_BYTES}`);
  return frame;
}

function withLength(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/** The message in a frame's payload, as the schema describes it; throws FrameError where it is not. */
export function parseFrame<S extends z.ZodType>(schema: S, payload: Uint8Array, codec: FrameCodec): z.output<S> {
  const result = schema.safeParse(decodeMessage(payload, codec));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw new FrameError(`not a frame of this protocol: ${where === '' ? '' : `${where}: `}${issue?.message ?? ''}`, {
    cause: result.error,
  });
}

/**
 * Cuts a stream of bytes into the payloads of frames, however they were split. A payload that lies in one chunk is a
 * view of it, one that spans chunks is put together in a buffer that grows with what arrives (linear in all, and never
 * on the word of a header alone).
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  /** The start of a frame that is not complete, header included; the first `#held` bytes of it count. */
  #buffer: Buffer = EMPTY;
  #held = 0;
  #failed: FrameError | undefined;

  constructor(options: { readonly maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? MAX_FRAME_BYTES;
  }

  /** Bytes of a frame that is not complete: more than 0 at the end of a stream means that it was cut off. */
  get pendingBytes(): number {
    return this.#held;
  }

  /**
   * The payloads that `chunk` completes, in order. A payload may be a view of `chunk`: decode it before the chunk's
   * memory is used again. Throws FrameError at a length of 0 or above `maxBytes`, and at every later call; frames
   * complete before it in the same chunk are given up too.
   */
  push(chunk: Buffer): Buffer[] {
    if (this.#failed !== undefined) throw this.#failed;
    const payloads: Buffer[] = [];
    let offset = this.#held === 0 ? 0 : this.#completeHeld(chunk, payloads);
    while (chunk.length - offset >= HEADER_BYTES) {
      const end = offset + HEADER_BYTES + this.#checked(chunk.readUInt32BE(offset));
      if (end > chunk.length) break;
      payloads.push(chunk.subarray(offset + HEADER_BYTES, end));
      offset = end;
    }
    this.#hold(chunk, offset, chunk.length);
    return payloads;
  }

  /** Goes on with the frame begun; returns how many bytes of `chunk` belong to it. */
  #completeHeld(chunk: Buffer, payloads: Buffer[]): number {
    let offset = this.#hold(chunk, 0, HEADER_BYTES - this.#held);
    if (this.#held < HEADER_BYTES) return offset;
    const need = HEADER_BYTES + this.#checked(this.#buffer.readUInt32BE(0));
    offset = this.#hold(chunk, offset, offset + need - this.#held);
    if (this.#held < need) return offset;
    payloads.push(this.#buffer.subarray(HEADER_BYTES, need));
    this.#buffer = EMPTY;
    this.#held = 0;
    return offset;
  }

  /** Keeps `chunk[from, to)`, as far as there is that much; returns where it stopped. */
  #hold(chunk: Buffer, from: number, to: number): number {
    const end = Math.min(Math.max(from, to), chunk.length);
    const held = this.#held + end - from;
    if (held > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(held, 2 * this.#buffer.length, 64));
      this.#buffer.copy(grown, 0, 0, this.#held);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#held, from, end);
    this.#held = held;
    return end;
  }

  #checked(length: number): number {
    if (length > 0 && length <= this.#maxBytes) return length;
    const problem = length === 0 ? 'an empty frame' : `a frame of ${length} bytes, more than ${this.#maxBytes}`;
    this.#failed = new FrameError(problem);
    throw this.#failed;
  }
}
