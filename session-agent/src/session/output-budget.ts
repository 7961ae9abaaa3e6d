import type { OutputStream } from '../worker/worker.ts';

/** An execution's own `stdout` and `stderr` hold so many characters each; all of it is in the events. */
const KEPT_CHARACTERS = 1024 * 1024;

/** Counts one execution's output against `outputBytes` and keeps its beginning. */
export class OutputBudget {
  readonly #limit: number;
  readonly #kept: Record<OutputStream, string[]> = { stdout: [], stderr: [] };
  readonly #room: Record<OutputStream, number> = { stdout: KEPT_CHARACTERS, stderr: KEPT_CHARACTERS };
  /** Bytes left out of `stdout` and `stderr`. */
  readonly truncated: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  #bytes = 0;
  #warned = false;

  /** @param limit bytes of both streams together that become events */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns what to send of `text`, and whether the limit was reached just now */
  take(stream: OutputStream, text: string): { send: string; hitLimit: boolean } {
    const size = Buffer.byteLength(text);
    const room = this.#limit - this.#bytes;
    const send = size <= room ? text : cutToBytes(text, Math.max(0, room));
    this.#bytes += size;
    this.#keep(stream, text, size);
    const hitLimit = send.length < text.length && !this.#warned;
    if (hitLimit) this.#warned = true;
    return { send, hitLimit };
  }

  text(stream: OutputStream): string {
    return this.#kept[stream].join('');
  }

  #keep(stream: OutputStream, text: string, size: number): void {
    const room = this.#room[stream];
    if (text.length <= room) {
      this.#kept[stream].push(text);
      this.#room[stream] -= text.length;
      return;
    }
    const part = wholeCodePoints(text.slice(0, room));
    this.#kept[stream].push(part);
    // Once something was left out nothing later is kept, or the text would have a hole.
    this.#room[stream] = 0;
    this.truncated[stream] += size - Buffer.byteLength(part);
  }
}

function cutToBytes(text: string, bytes: number): string {
  if (bytes === 0) return '';
  let end = bytes;
  const buffer = Buffer.from(text);
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString('utf8', 0, end);
}

function wholeCodePoints(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.slice(0, -1) : text;
}
