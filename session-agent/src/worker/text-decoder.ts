import { isUtf8 } from 'node:buffer';

/**
 * Bytes of a stream to text, split only between code points. Bytes that are not UTF-8 appear as `\xNN`, so no output is ever lost or
 * breaks a frame. At most three bytes are held back, until the rest of their code point comes or the stream is flushed.
 */
export class StreamTextDecoder {
  #held: Buffer = Buffer.alloc(0);

  /** Decodes a chunk; the caller may reuse its memory afterwards. */
  push(chunk: Buffer): string {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const complete = bytes.length - incompleteTail(bytes);
    this.#held = complete < bytes.length ? Buffer.from(bytes.subarray(complete)) : Buffer.alloc(0);
    return escapeInvalid(bytes.subarray(0, complete));
  }

  /** What was held back, escaped, for no more bytes will complete it. */
  flush(): string {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return escapeInvalid(held);
  }
}

/** How many bytes at the end start a code point that needs more bytes: 0 to 3. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = sequenceLength(byte);
    return length > back ? back : 0;
  }
  return 0;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  return 1;
}

function escapeInvalid(bytes: Buffer): string {
  if (bytes.length === 0) return '';
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const parts: string[] = [];
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    const valid = at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length));
    if (valid) {
      at += length;
      continue;
    }
    parts.push(bytes.toString('utf8', start, at), `\\x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`);
    at += 1;
    start = at;
  }
  parts.push(bytes.toString('utf8', start, at));
  return parts.join('');
}
