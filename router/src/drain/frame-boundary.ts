/** Follows the frames of one direction of a WebSocket (RFC 6455 section 5.2), only to know where one ends. */
export class FrameBoundary {
  /** Bytes of a frame's head, as long as it is not whole. */
  #head: number[] = [];
  /** Bytes of the frame that are still to come behind its head. */
  #left = 0;

  /** Whether what was taken ends with a whole frame. */
  get reached(): boolean {
    return this.#left === 0 && this.#head.length === 0;
  }

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      this.#head.push(chunk[at] ?? 0);
      at += 1;
      const left = bytesBehind(this.#head);
      if (left === undefined) continue;
      this.#left = left;
      this.#head = [];
    }
  }
}

/** How many bytes follow a frame's head: mask and payload; undefined: the head is not whole yet. */
function bytesBehind(head: readonly number[]): number | undefined {
  const [, second] = head;
  if (second === undefined) return undefined;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const short = second & 0x7f;
  if (short < 126) return mask + short;
  const extended = short === 126 ? 2 : 8;
  if (head.length < 2 + extended) return undefined;
  return mask + head.slice(2).reduce((length, byte) => length * 256 + byte, 0);
}
